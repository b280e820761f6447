-- What is odd about the caller, the system or the disk, and what follows: see surprise.lua.
package.path = "tests/support/?.lua;" .. package.path
require("cases").describe("no surprise for root #system", "tests/system/surprise.lua")
