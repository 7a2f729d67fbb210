import { expect, test } from "bun:test";
import { RouterMetrics } from "./metrics.ts";

function createMetrics(): RouterMetrics {
  return new RouterMetrics(
    "1.2.3",
    {
      members: () => ({}),
      isMember: () => true,
      ringFingerprint: () => 0,
      panic: () => false,
      inFlight: () => [],
      clientConnections: () => 0,
      misplacedGroups: () => 0,
      forgottenGroups: () => 0,
    },
    { cpuSeconds: () => 0, residentBytes: () => 0, startTimeSeconds: 0 },
  );
}

test.each([
  'dynamic_sharding_pushes_total{mode="proxy",outcome="unavailable"} 0',
  'dynamic_sharding_pushes_total{mode="proxy",outcome="failed"} 0',
  'dynamic_sharding_pushes_total{mode="proxy",outcome="timed_out"} 0',
  'dynamic_sharding_failovers_total{reason="unreachable"} 0',
  'dynamic_sharding_failovers_total{reason="dead"} 0',
  'dynamic_sharding_failovers_total{reason="unresponsive"} 0',
])("%s is there before there is anything to count", (line) => {
  expect(createMetrics().render()).toContain(`${line}\n`);
});

test("failed refreshes count from 0 once a mechanism has refreshed", () => {
  const metrics = createMetrics();
  metrics.refreshSucceeded("consul");
  expect(metrics.render()).toContain('dynamic_sharding_discovery_refresh_failures_total{mechanism="consul"} 0\n');
});
