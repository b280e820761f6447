-- One of three instances is damaged, in each way that is known: see damage.lua.
package.path = "tests/support/?.lua;" .. package.path
require("cases").describe("damage to one instance (stock: every command fails, for most kinds) #system",
  "tests/system/damage.lua")
