-- 00-group.lua - a rule of the site: every instance belongs to a group

return {
  summary = "every instance needs a group",
  before_create = function(event)
    if not event.instance.group then error("every instance needs a group; give -G GROUP", 0) end
  end,
}
