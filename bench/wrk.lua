-- What wrk sends for bench/wrk.ts, and how it reports. Not here: how long and with how many connections.
-- Arguments: dialect (kvorum or etcd), mode (put, get or lease), value bytes, keys, and then the nodes
-- (host:port) that the threads are spread over, one each; none for the URL's node alone.
--
-- Every request is made before the first is sent, so that the generator costs the same whatever the
-- dialect: etcd's gateway wants keys and values in base64.

-- More than this is made request by request instead: LuaJIT has 1 GB at most.
local REQUESTS_BYTES_MAX = 128 * 1024 * 1024
-- About what a request's line and headers take.
local HEADER_BYTES = 160
-- Shares no factor with the usual key counts, and so visits every key in turn.
local STRIDE = 7919

local bit = require("bit")
local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local threads = 0
local requests = {}
local keys, build, serial

-- In the state that all threads share.
function setup(thread)
  threads = threads + 1
  thread:set("thread_number", threads)
end

local function base64(bytes)
  local digits = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local word = bit.bor(bit.lshift(a, 16), bit.lshift(b or 0, 8), c or 0)
    for shift = 18, 0, -6 do
      local digit = bit.band(bit.rshift(word, shift), 63) + 1
      digits[#digits + 1] = alphabet:sub(digit, digit)
    end
    if not b then digits[#digits - 1] = "=" end
    if not c then digits[#digits] = "=" end
  end
  return table.concat(digits)
end

local function kvorum(mode, value)
  local headers = { ["content-type"] = "application/octet-stream" }
  local query = mode == "lease" and "?consistency=lease" or ""
  return function(key)
    local path = "/v1/kv/" .. key .. query
    if mode == "put" then return wrk.format("PUT", path, headers, value) end
    return wrk.format("GET", path)
  end
end

local function etcd(mode, value)
  local headers = { ["content-type"] = "application/json" }
  local path = mode == "put" and "/v3/kv/put" or "/v3/kv/range"
  local tail = mode == "put" and '","value":"' .. base64(value) .. '"}' or '"}'
  return function(key)
    return wrk.format("POST", path, headers, '{"key":"' .. base64(key) .. tail)
  end
end

function init(args)
  local dialect, mode, value_bytes = args[1], args[2], tonumber(args[3])
  keys = tonumber(args[4])
  local nodes = #args - 4
  if nodes > 0 then
    local node = args[4 + thread_number]
    local host, port = node:match("^(.*):(%d+)$")
    wrk.thread.addr = wrk.lookup(host, port)[1]
    wrk.headers["Host"] = node
  end
  -- Threads start at different keys.
  serial = nodes > 0 and math.floor(keys / nodes * (thread_number - 1)) or 0
  build = (dialect == "etcd" and etcd or kvorum)(mode, string.rep("x", value_bytes))
  local value_cost = mode == "put" and value_bytes * 4 / 3 or 0
  if keys * (HEADER_BYTES + value_cost) > REQUESTS_BYTES_MAX then return end
  for i = 0, keys - 1 do requests[i] = build("load/" .. i) end
end

function request()
  serial = (serial + STRIDE) % keys
  return requests[serial] or build("load/" .. serial)
end

function done(summary, latency)
  io.write(string.format(
    "\nkvorum-load %d %d %d %d %d %d %d\n",
    summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read +
      summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
