-- What destroy removes, and what it must not: see mail_kept.lua.
package.path = "tests/support/?.lua;" .. package.path
require("cases").describe("destroy #system", "tests/system/mail_kept.lua")
