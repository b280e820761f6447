--- The known word nearest to one that is not known; pure functions.

local M = {}

---Edits (insert, delete, replace, swap neighbours) from one word to another.
---@param a string
---@param b string
---@return integer
function M.distance(a, b)
  local before, previous = {}, {}
  for column = 0, #b do
    previous[column] = column
  end
  for row = 1, #a do
    local current = { [0] = row }
    for column = 1, #b do
      local cost = a:byte(row) == b:byte(column) and 0 or 1
      local best = math.min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + cost)
      if row > 1 and column > 1 and a:byte(row) == b:byte(column - 1) and a:byte(row - 1) == b:byte(column) then
        best = math.min(best, before[column - 2] + 1)
      end
      current[column] = best
    end
    before, previous = previous, current
  end
  return previous[#b]
end

local SAME_START = 4 -- letters, that make a word near which is not so by its edits

---@param word string
---@param known string[]
---@return string|nil nearest  nil: none is near
function M.word(word, known)
  local best, least = nil, math.min(math.max(2, #word // 3), #word - 1) + 1
  local alike, likeness = nil, SAME_START - 1
  for _, one in ipairs(known) do
    local distance = M.distance(word, one)
    if distance < least then
      best, least = one, distance
    end
    local same = 0
    while same < #word and word:byte(same + 1) == one:byte(same + 1) do
      same = same + 1
    end
    if same > likeness then
      alike, likeness = one, same
    end
  end
  return best or alike
end

---"; did you mean WORD?", or nothing.
---@param word string
---@param known string[]
---@return string
function M.hint(word, known)
  local found = M.word(word, known)
  return found and ("; did you mean %s?"):format(found) or ""
end

return M
