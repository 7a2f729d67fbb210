import { expect, test } from "bun:test";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Prometheus, startPrometheus } from "../support/prometheus.ts";
import { startPushgateways } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";

const TEST_TIMEOUT_MS = 30_000;

interface ActiveTarget {
  readonly health: string;
  readonly labels: { readonly instance: string; readonly state: string };
}

async function targetsOf(prometheus: Prometheus): Promise<readonly ActiveTarget[]> {
  const response = await fetch(`${prometheus.url}/api/v1/targets?state=active`);
  return ((await response.json()) as { data: { activeTargets: ActiveTarget[] } }).data.activeTargets;
}

test("/sd/pushgateways lists the members by address, each as a group of its own", async () => {
  await using one = await FakePushgateway.start();
  await using two = await FakePushgateway.start();
  const addresses = [one.address, two.address].sort();
  await using router = await LocalRouter.start(
    configOf([], { pushgateway: { servers: addresses.toReversed(), draining: [addresses[1]] } }),
  );
  const response = await router.get("/sd/pushgateways");
  expect([response.status, response.headers.get("Content-Type")]).toEqual([200, "application/json; charset=utf-8"]);
  expect((await response.json()) as unknown).toEqual([
    { targets: [addresses[0]], labels: { __meta_dynamic_sharding_state: "active" } },
    { targets: [addresses[1]], labels: { __meta_dynamic_sharding_state: "draining" } },
  ]);
});

test("/sd/pushgateways has no list before discovery is ready, rather than an empty one", async () => {
  await using silent = await FakePushgateway.start();
  silent.answersProbes = false;
  const slowChecks = { interval: "1h", timeout: "1h" };
  await using router = await LocalRouter.start(configOf([silent], { health_check: slowChecks }), { untilReady: false });
  const response = await router.get("/sd/pushgateways");
  expect([response.status, response.headers.get("Retry-After")]).toEqual([503, "1"]);
  expect(await response.text()).toBe("Not ready: discovery has not reported any Pushgateway yet\n");
});

await describeWithParts(["prometheus", "pushgateway-1.11.0"], "Prometheus with http_sd from the router", () => {
  test(
    "scrapes the members, with the labels of their groups, and follows changes",
    async () => {
      await using resources = new AsyncDisposableStack();
      const members = await startPushgateways(3);
      for (const member of members) resources.use(member);
      const [first, second, third] = members.map(({ address }) => address) as [string, string, string];
      await using router = await LocalRouter.start(configOf(members.slice(0, 2)));
      const sd = [{ url: `${router.url}/sd/pushgateways`, refresh_interval: "1s" }];
      const relabel = [{ source_labels: ["__meta_dynamic_sharding_state"], target_label: "state" }];
      await using prometheus = await startPrometheus({
        scrapeConfigs: [{ job_name: "pushgateway", honor_labels: true, http_sd_configs: sd, relabel_configs: relabel }],
      });
      const scraped = async (addresses: readonly string[]) => {
        const targets = await targetsOf(prometheus);
        expect(targets.map(({ labels }) => labels.instance).sort()).toEqual([...addresses].sort());
        expect(targets.map(({ health, labels }) => `${health} ${labels.state}`)).toEqual(
          targets.map(() => "up active"),
        );
        return true;
      };
      await waitFor("both members to be scraped", () => scraped([first, second]), { timeoutMs: TEST_TIMEOUT_MS });
      expect((await router.push("/metrics/job/through_sd/x/1", "pushed 42\n")).status).toBe(200);
      const pushed = async () => (await prometheus.query('pushed{job="through_sd",x="1"}'))[0]?.value === 42;
      await waitFor("the pushed value", pushed, { timeoutMs: TEST_TIMEOUT_MS });
      await router.reconfigure(configOf(members.slice(1)));
      await waitFor("the new list to be scraped", () => scraped([second, third]), { timeoutMs: TEST_TIMEOUT_MS });
    },
    2 * TEST_TIMEOUT_MS,
  );
});
