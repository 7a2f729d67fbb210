-- Pushes of two series to as many groups as the argument says, evenly and never to neighbours one after the other, with the
-- headers that Go's client sends. The same groups and bodies as in embedded/groups.ts.
local HEADERS = {
  ["User-Agent"] = "Go-http-client/1.1",
  ["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8",
  ["Accept-Encoding"] = "gzip",
}
local STRIDE = 7919
local pushes = {}
local last = 0
local count

function init(args)
  count = tonumber(args[1])
  for n = 0, count - 1 do
    local body = string.format(
      '# TYPE batch_last_success_seconds gauge\nbatch_last_success_seconds %d\n' ..
      '# TYPE batch_records_total counter\nbatch_records_total{kind="read"} %d\n', 1700000000 + n, n)
    pushes[n] = wrk.format("PUT", string.format("/metrics/job/batch/instance/host-%06d", n), HEADERS, body)
  end
end

function request()
  last = (last + STRIDE) % count
  return pushes[last]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"p50Us":%d,"p99Us":%d,"connectErrors":%d,"readErrors":%d,"writeErrors":%d,"badStatuses":%d,"timeouts":%d}\n',
    summary.requests, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
