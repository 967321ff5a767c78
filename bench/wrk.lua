-- What wrk sends for bench/load.ts, and how it reports. Arguments: mode, value bytes, keys.
local mode, valueBytes, keys, value, serial

function init(args)
  mode = args[1] or "put"
  valueBytes = tonumber(args[2] or 256)
  keys = tonumber(args[3] or 10000)
  value = string.rep("x", valueBytes)
  serial = 0
end

function request()
  -- A stride that shares no factor with the usual key counts visits every key in turn.
  serial = (serial + 7919) % keys
  local path = "/v1/kv/load/" .. serial
  if mode == "put" then
    return wrk.format("PUT", path, { ["content-type"] = "application/octet-stream" }, value)
  end
  return wrk.format("GET", path)
end

function done(summary, latency)
  io.write(string.format(
    "\nkvorum-load %d %d %d %d %d %d %d\n",
    summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read +
      summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
