-- Requests of the benchmark `serving` for wrk. Arguments after `--`: the file with the members' tensors of a request as
-- JSON, or `-`; rows of a request; share of rows whose key is one of a few, or `-` for no keys.
local thread_count = 0

function setup(thread)
  thread:set("number", thread_count)
  thread_count = thread_count + 1
end

function init(arguments)
  math.randomseed(7 + number)
  rows = tonumber(arguments[2])
  share = tonumber(arguments[3])
  if arguments[1] ~= "-" then
    bodies = {}
    for line in io.lines(arguments[1]) do bodies[#bodies + 1] = line end
  end
  -- Other keys in every run.
  run, sent, turn = arguments[4] or "0", 0, 0
  headers = {["Content-Type"] = "application/json"}
end

function request()
  if bodies then
    turn = turn % #bodies + 1
    return wrk.format("POST", nil, headers, bodies[turn])
  end
  local numbers, keys = {}, {}
  for place = 1, rows do
    if share and math.random() < share then
      local key = math.random(0, 999)
      numbers[place], keys[place] = key, '"hot-' .. key .. '"'
    else
      sent = sent + 1
      numbers[place], keys[place] = math.random(0, 9999), '"' .. run .. '-' .. number .. '-' .. sent .. '"'
    end
  end
  local body = '{"inputs":[{"name":"row","datatype":"INT64","shape":[' .. rows .. ',1],"data":['
    .. table.concat(numbers, ",") .. ']}'
  if share then
    body = body .. ',{"name":"key","datatype":"BYTES","shape":[' .. rows .. '],"data":[' .. table.concat(keys, ",") .. ']}'
  end
  return wrk.format("POST", nil, headers, body .. "]}")
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "p50": %.4f, "p99": %.4f, "p999": %.4f, "max": %.4f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency:percentile(99.9) / 1e3, latency.max / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
