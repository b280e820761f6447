-- What goes wrong with the stock command, and what ours does instead: see hazards.lua.
package.path = "tests/support/?.lua;" .. package.path
require("cases").describe("a hazard of the stock command #system", "tests/system/hazards.lua")
