-- Owner, mode, parents, links and type of what the site has root load: see trust.lua.
package.path = "tests/support/?.lua;" .. package.path
require("cases").describe("trust in code of the site (stock has none) #system", "tests/system/trust.lua")
