-- Pushes of two series to 37,000 groups, with the headers that Go's client sends. Made once, so that wrk spends its time on
-- sending. With an argument, each connection pauses that many milliseconds on average before a push.
local GROUPS = 37000
local BODY = "# TYPE a gauge\na 1\n# TYPE b gauge\nb 2\n"
local HEADERS = {
  ["User-Agent"] = "Go-http-client/1.1",
  ["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8",
  ["Accept-Encoding"] = "gzip",
}
local pushes = {}
local last = 0

function init(args)
  for n = 1, GROUPS do
    pushes[n] = wrk.format("PUT", "/metrics/job/j" .. n % 1000 .. "/instance/h" .. n % 37, HEADERS, BODY)
  end
  local pause = tonumber(args[1])
  if pause ~= nil then
    function delay() return math.random(0, 2 * pause) end
  end
end

function request()
  last = last % GROUPS + 1
  return pushes[last]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"p50Us":%d,"p99Us":%d,"connectErrors":%d,"readErrors":%d,"writeErrors":%d,"badStatuses":%d,"timeouts":%d}\n',
    summary.requests, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
