-- Copies a story: every key and every member of a shared key in which its marker stands, under another marker, at
-- another time. Knows no field: whatever holds the marker, the beginning of one of its ids, or one of its times, holds
-- those of the copy instead.
-- ARGV: recipe {marker, heads = [{text, at}], from, to, own = [key], shared = [{key, member}]} as JSON; number of the
--       first copy; how many; shift of the first, ms; shift from one to the next, ms
-- answers how many
local recipe = cjson.decode(ARGV[1])
local first, count, shift, step = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local TIME = string.rep('%d', 13)

-- What is another in each copy: the marker, heads of ids, times. Each is made once a copy.
local values, number_of = {}, {}
local function value(kind, given)
  local name = kind .. ' ' .. given
  if not number_of[name] then
    values[#values + 1] = { kind = kind, given = given }
    number_of[name] = #values
  end
  return number_of[name]
end

local function is_time(text)
  local n = tonumber(text)
  return n ~= nil and n >= recipe.from and n <= recipe.to
end

-- The next place that changes: where it begins and ends, and what it is.
local function next_change(text, from)
  local at, to = string.find(text, recipe.marker, from, true)
  local what = at and value('marker', '')
  for n, head in ipairs(recipe.heads) do
    local begins, ends = string.find(text, head.text, from, true)
    if begins and (not at or begins < at) then at, to, what = begins, ends, value('head', n) end
  end
  local begins, ends = string.find(text, TIME, from)
  if begins and (not at or begins < at) and is_time(string.sub(text, begins, ends)) then
    at, to, what = begins, ends, value('time', string.sub(text, begins, ends))
  end
  return at, to, what
end

-- Texts that change, each once: their parts, and which of these are which value.
local changing, changing_of = {}, {}
local function compiled(text)
  if changing_of[text] ~= nil then return changing_of[text] end
  local parts, places, from = {}, {}, 1
  while true do
    local at, to, what = next_change(text, from)
    if not at then break end
    parts[#parts + 1] = string.sub(text, from, at - 1)
    parts[#parts + 1] = ''
    places[#places + 1] = { #parts, what }
    from = to + 1
  end
  parts[#parts + 1] = string.sub(text, from)
  local is_changing = #places > 0
  if is_changing then changing[#changing + 1] = { parts = parts, places = places } end
  changing_of[text] = is_changing and #changing or false
  return changing_of[text]
end

-- Of a sorted set: member and score, as ZADD takes them.
local function scored(flat)
  local all = {}
  for i = 1, #flat, 2 do all[i], all[i + 1] = flat[i + 1], flat[i] end
  return all
end

local READ = {
  hash = function(name) return 'HSET', redis.call('HGETALL', name) end,
  list = function(name) return 'RPUSH', redis.call('LRANGE', name, 0, -1) end,
  set = function(name) return 'SADD', redis.call('SMEMBERS', name) end,
  zset = function(name) return 'ZADD', scored(redis.call('ZRANGE', name, 0, -1, 'WITHSCORES')) end,
  string = function(name) return 'SET', { redis.call('GET', name) } end,
}
local MEMBER = {
  hash = function(name, member) return 'HSET', { member, redis.call('HGET', name, member) } end,
  set = function(_, member) return 'SADD', { member } end,
  zset = function(name, member) return 'ZADD', scored({ member, redis.call('ZSCORE', name, member) }) end,
}

local steps = {}
local function add(command, name, given, ttl)
  local call, places = { command, name }, {}
  for _, text in ipairs(given) do call[#call + 1] = text end
  for i = 2, #call do
    local n = compiled(call[i])
    if n then places[#places + 1] = { i, n } end
  end
  steps[#steps + 1] = { call = call, places = places, ttl = ttl }
end
for _, name in ipairs(recipe.own) do
  local command, given = READ[redis.call('TYPE', name).ok](name)
  add(command, name, given, redis.call('PTTL', name))
end
for _, one in ipairs(recipe.shared) do
  local command, given = MEMBER[redis.call('TYPE', one.key).ok](one.key, one.member)
  add(command, one.key, given, -1)
end

local MAKE = {
  marker = function(n) return string.format('%09d', n) end,
  head = function(_, shifted, head)
    local at = recipe.heads[head].at + shifted
    return string.format('%08x-%04x', math.floor(at / 65536), at % 65536)
  end,
  time = function(_, shifted, time) return string.format('%.0f', tonumber(time) + shifted) end,
}

for n = first, first + count - 1 do
  local shifted = shift + (n - first) * step
  for _, one in ipairs(values) do one.text = MAKE[one.kind](n, shifted, one.given) end
  for _, text in ipairs(changing) do
    for _, place in ipairs(text.places) do text.parts[place[1]] = values[place[2]].text end
    text.made = table.concat(text.parts)
  end
  for _, one in ipairs(steps) do
    -- What is kept for a time only would be over by now.
    local left = one.ttl + shifted
    if one.ttl < 0 or left > 0 then
      for _, place in ipairs(one.places) do one.call[place[1]] = changing[place[2]].made end
      redis.call(unpack(one.call))
      if one.ttl >= 0 then redis.call('PEXPIRE', one.call[2], string.format('%.0f', left)) end
    end
  end
end
return count
