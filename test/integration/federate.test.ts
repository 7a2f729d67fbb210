import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseGoFloat } from "../../src/exposition/go-float.ts";
import type { Metric } from "../../src/exposition/model.ts";
import { encodeDelimited } from "../../src/exposition/protobuf-encoder.ts";
import { parseText } from "../../src/exposition/text-parser.ts";
import { groupIdOf } from "../../src/sharding/group-id.ts";
import { parsePushPath } from "../../src/sharding/grouping-key.ts";
import { federate as federateMembers } from "../../src/web/federate/federation.ts";
import type { CopyJudge } from "../../src/web/federate/group-copies.ts";
import { ShownTimes } from "../../src/web/federate/shown-times.ts";
import { WorkSlices } from "../../src/work-slices.ts";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { groupsOf } from "../support/groups.ts";
import { type ConfigSections, configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts, part } from "../support/parts.ts";
import { startPrometheus } from "../support/prometheus.ts";
import { type Pushgateway, startPushgateway } from "../support/pushgateway.ts";
import { RawConnection } from "../support/raw-http.ts";
import { runCommand } from "../support/run-command.ts";
import { waitFor } from "../support/wait-for.ts";

const TEST_TIMEOUT_MS = 30_000;
const MISSING = "X-Dynamic-Sharding-Missing-Members";

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

/** Pushgateways of both versions by turns. `flags` are for 1.11.0. */
async function startMembers(count: number, flags: readonly string[] = []): Promise<readonly Pushgateway[]> {
  const versions = ["1.11.0", "1.5.1"] as const;
  const members: Pushgateway[] = [];
  for (let index = 0; index < count; index++) {
    const version = versions[index % 2] as (typeof versions)[number];
    const options = { version, host: `127.0.0.${index + 2}`, flags: version === "1.11.0" ? flags : [] };
    members.push(resources.use(await startPushgateway(options)));
  }
  return members;
}

async function startCluster(
  count: number,
  flags: readonly string[] = [],
  more: ConfigSections = {},
): Promise<{ readonly members: readonly Pushgateway[]; readonly router: LocalRouter }> {
  const members = await startMembers(count, flags);
  const router = resources.use(await LocalRouter.start(configOf(members, more)));
  return { members, router };
}

/** A Pushgateway of whatever kind. */
interface Member {
  readonly address: string;
  readonly url: string;
}

async function push(member: Member, path: string, body: string, method = "PUT"): Promise<void> {
  const response = await fetch(`${member.url}/metrics${path}`, { method, body });
  if (!response.ok) throw new Error(`Cannot push ${path}: ${response.status} ${await response.text()}`);
}

async function federate(router: LocalRouter, query = "", headers: Record<string, string> = {}): Promise<string> {
  const response = await router.get(`/federate${query}`, { headers });
  expect([response.status, response.headers.get(MISSING)]).toEqual([200, null]);
  return await response.text();
}

/** What is federated where push times alone say which copy of a group counts. */
async function federateNewest(
  members: readonly Member[],
  judge: Partial<CopyJudge> = {},
  shown = new ShownTimes(),
): Promise<string> {
  const { pieces, missing } = await federateMembers({
    members: members.map(({ address }) => ({ address, timeoutMs: 10_000 })),
    selectors: [],
    utf8Names: true,
    judge: {
      choose: (_id, copies) => copies.reduce((best, copy) => (copy.pushTime > best.pushTime ? copy : best)).address,
      questioned: () => [],
      localTime: (_address, pushTime) => ({ seconds: pushTime, uncertainty: 0 }),
      ...judge,
    },
    shown,
    askAgainMs: 10_000,
    slices: new WorkSlices(),
    signal: new AbortController().signal,
  });
  expect(missing).toEqual([]);
  return Buffer.concat(pieces).toString();
}

/** Copies that are pushed so far apart are in order by whatever is known of the members' clocks. */
const CLOCK_DOUBT_MS = 2_500;

/** Sample lines but for the push times. */
function samples(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "" && !/^(#|push_(failure_)?time_seconds)/.test(line));
}

interface JsonMetric {
  readonly labels: Readonly<Record<string, string>>;
  readonly value?: string;
  readonly count?: string;
  readonly quantiles?: Readonly<Record<string, string>>;
  readonly buckets?: Readonly<Record<string, string>>;
}

/** Value of a series; of a summary or histogram the count, and quantiles or buckets as pairs. */
function describeJson({ value, count, quantiles, buckets }: JsonMetric): string {
  if (value !== undefined) return String(Number(value));
  const parts = Object.entries(quantiles ?? buckets ?? {}).map(([bound, at]) => `${parseGoFloat(bound)}:${Number(at)}`);
  return [Number(count), ...parts.sort()].join(" ");
}

function describeValue(value: Metric["value"]): string {
  if (value === undefined || typeof value === "number") return String(value);
  const parts =
    "quantiles" in value
      ? value.quantiles.map(({ quantile, value }) => `${quantile}:${value}`)
      : value.buckets.map(({ upperBound, cumulativeCount }) => `${upperBound}:${cumulativeCount}`);
  return [value.count, ...parts.sort()].join(" ");
}

/** Each series of the newest copy of each group, from what the members themselves say: `name{sorted labels} value`. */
async function newestSeries(members: readonly Member[]): Promise<readonly string[]> {
  const newest = new Map<string, { readonly time: number; readonly series: readonly string[] }>();
  for (const { url } of members) {
    const { data } = (await (await fetch(`${url}/api/v1/metrics`)).json()) as { data: Record<string, unknown>[] };
    for (const { labels, last_push_successful: _, ...families } of data) {
      const named = Object.entries(families as Record<string, { metrics: JsonMetric[] }>);
      const time = Number(named.find(([name]) => name === "push_time_seconds")?.[1].metrics[0]?.value);
      const series = named.flatMap(([name, { metrics }]) =>
        metrics.map((metric) => `${name}${sortedLabels(metric.labels)} ${describeJson(metric)}`),
      );
      const key = JSON.stringify(Object.entries(labels as object).sort());
      if (!(time <= (newest.get(key)?.time ?? -1))) newest.set(key, { time, series });
    }
  }
  return [...newest.values()].flatMap(({ series }) => series).sort();
}

function sortedLabels(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort());
}

/** The same of a text. */
function seriesOf(text: string): readonly string[] {
  const utf8 = (bytes: string) => Buffer.from(bytes, "latin1").toString();
  return parseText(Buffer.from(text))
    .flatMap(({ name, metrics }) =>
      metrics.map(({ labels, value }) => {
        const pairs = Object.fromEntries(
          labels.flatMap((label, i) => (i % 2 === 0 ? [[utf8(label), utf8(labels[i + 1] as string)]] : [])),
        );
        return `${utf8(name)}${sortedLabels(pairs)} ${describeValue(value)}`;
      }),
    )
    .sort();
}

await describeWithParts(["pushgateway-1.11.0", "pushgateway-1.5.1", "promtool"], "/federate", () => {
  test("shows no group as it was before, when its newer copy is seen where it was no more and not yet where it is", async () => {
    const { members } = await startCluster(2);
    const [a, b] = members as [Pushgateway, Pushgateway];
    const shown = new ShownTimes();
    const xOf = async () => samples(await federateNewest(members, {}, shown)).map((line) => line.replace(/.* /, ""));
    await push(a, "/job/moves", "x 1\n");
    await push(b, "/job/moves", "x 2\n");
    expect(await xOf()).toEqual(["2"]);
    // What a scrape sees that came to one of them before the newer copy did, and to the other one after it had gone.
    const gone = await fetch(`${b.url}/metrics/job/moves`, { method: "DELETE" });
    expect(gone.status).toBe(202);
    await waitFor("the copy to be gone", async () => (await groupsOf(b.url)).size === 0);
    expect(await xOf()).toEqual([]);
    await push(a, "/job/moves", "x 3\n");
    expect(await xOf()).toEqual(["3"]);
  });

  test(
    "shows the groups of all members and nothing of the members themselves",
    async () => {
      const { members, router } = await startCluster(3);
      const [a, b, c] = members as [Pushgateway, Pushgateway, Pushgateway];
      await push(a, "/job/one", "# HELP c_total of a\n# TYPE c_total counter\nc_total 1\n");
      await push(b, "/job/two/x/y", "# HELP c_total of b\n# TYPE c_total counter\nc_total 2\n");
      await push(c, "/job/three", "# TYPE c_total counter\nc_total 3\n# TYPE go_goroutines gauge\ngo_goroutines 7\n");
      const response = await router.get("/federate");
      expect(response.headers.get("Content-Type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      const text = await response.text();
      expect(samples(text)).toEqual([
        'c_total{instance="",job="one"} 1',
        'c_total{instance="",job="two",x="y"} 2',
        'c_total{instance="",job="three"} 3',
        'go_goroutines{instance="",job="three"} 7',
      ]);
      expect(text).toContain("# HELP c_total of a\n# TYPE c_total counter\n");
      expect([...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name)).toEqual([
        "c_total",
        "go_goroutines",
        "push_failure_time_seconds",
        "push_time_seconds",
      ]);
      expect(seriesOf(text)).toEqual(await newestSeries(members));
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "shows the newest copy of a group, also beside groups whose keys fit the same series",
    async () => {
      const members = await startMembers(3);
      const [a, b, c] = members as [Pushgateway, Pushgateway, Pushgateway];
      const histogram = (n: number) =>
        `# TYPE h histogram\nh_bucket{x="y",le="1"} ${n}\nh_bucket{x="y",le="+Inf"} ${n}\nh_sum{x="y"} 1\nh_count{x="y"} ${n}\n`;
      const summary = (n: number) =>
        `# TYPE s summary\ns{x="y",quantile="0.5"} ${n}\ns_sum{x="y"} 1\ns_count{x="y"} ${n}\n`;
      // On one member an old copy and two groups that count; each holds series that fit the keys of the others.
      await push(a, "/job/nest", `plain{x="y"} 1\nplain{x="z"} 1\nbare 1\n${histogram(1)}${summary(1)}`);
      const inner = [
        "inner 10",
        'inner{v="w"} 11',
        "# TYPE t summary",
        't{quantile="0.5"} 1',
        "t_sum 1",
        "t_count 12",
        "# TYPE g histogram",
        'g_bucket{le="+Inf"} 13',
        "g_sum 1",
        "g_count 13",
      ];
      await push(a, "/job/nest/x/y", `${inner.join("\n")}\n`);
      await push(a, "/job/nest/v/w", 'side{x="y"} 20\n');
      await push(b, "/job/nest", `plain{x="y"} 2\nbare 2\n${histogram(2)}${summary(2)}`);
      // The other way about: the copy of the inner group is old.
      await push(c, "/job/turned/x/y", 'inner{n="1"} 1\n');
      await push(c, "/job/turned", 'outer{x="y"} 5\n');
      await push(a, "/job/turned/x/y", 'inner{n="2"} 2\n');
      await push(b, "/job/spread/zone/%C3%B6%22%5C/n/1", "p 1\n");
      await push(c, "/job/spread/zone/%C3%B6%22%5C/n/1", "p 2\n");
      await push(a, "/job/spread/zone/%C3%B6%22%5C/n/1", "p 3\n");
      const expected = await newestSeries(members);
      expect(expected.filter((line) => line.includes('"nest"')).length).toBeGreaterThan(10);
      expect(seriesOf(await federateNewest(members))).toEqual(expected);
      // Neither would a single Pushgateway have two of them.
      const shown = samples(await federateNewest(members)).map((line) => line.replace(/ \S+$/, ""));
      expect(new Set(shown).size).toBe(shown.length);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "shows the newest copies of groups whose keys and series overlap as they like",
    async () => {
      const members: readonly Member[] = [
        ...(await startMembers(3)),
        resources.use(await LocalPushgateway.start({ utf8Names: true })),
      ];
      const label = fc.tuple(fc.constantFrom("x", "y", "z"), fc.constantFrom("1", "%C3%B6"));
      const labels = fc.uniqueArray(label, { maxLength: 3, selector: ([name]) => name });
      const sample = fc.record({ name: fc.constantFrom("m", "n"), labels });
      const pushes = fc.record({
        member: fc.nat({ max: members.length - 1 }),
        key: labels,
        samples: fc.uniqueArray(sample, { minLength: 1, maxLength: 4, selector: (value) => JSON.stringify(value) }),
      });
      let value = 0;
      for (const { member, key, samples } of fc.sample(pushes, { seed: 2_026, numRuns: 200 })) {
        const path = key.flatMap(([name, value]) => [`/${name}`, `/${value}`]).join("");
        const body = samples.map(({ name, labels }) => {
          const pairs = labels.map(([label, text]) => `${label}="${decodeURIComponent(text)}"`);
          return `${name}{${pairs.join(",")}} ${++value}\n`;
        });
        // Some do not fit to what the member holds, and are rejected. That leaves groups without a push time.
        await push(members[member] as Member, `/job/overlap${path}`, body.join("")).catch(() => {});
      }
      const expected = await newestSeries(members);
      expect(expected.length).toBeGreaterThan(60);
      expect(seriesOf(await federateNewest(members))).toEqual(expected);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "hides what does not count, be it the only copy",
    async () => {
      const members = await startMembers(2, ["--push.enable-utf8-names"]);
      const [a, b] = members as [Pushgateway, Pushgateway];
      const paths = ["/job/gone", "/job/gone/instance/i", "/job/gone/z/%C3%B6%22/a/1", "/job/gone/U__a_2e_b/v"];
      for (const path of paths) await push(a, path, "gone 1\n");
      await push(b, "/job/kept", "kept 1\n");
      const options = { utf8Names: true };
      const ids = paths.map((path) => groupIdOf(parsePushPath(`/metrics${path}`, options)));
      const asked: string[] = [];
      const text = await federateNewest(members, {
        questioned: () => [...ids, groupIdOf(parsePushPath("/metrics/job/nowhere", options))],
        choose: (id) => void asked.push(id),
      });
      expect(asked.sort()).toEqual(ids.toSorted());
      expect(samples(text)).toEqual(['kept{instance="",job="kept"} 1']);
      expect(text.match(/^push_time_seconds/gm)?.length).toBe(1);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "takes a copy whose only push was rejected for older than any other",
    async () => {
      const members = await startMembers(2);
      const [a, b] = members as [Pushgateway, Pushgateway];
      await push(a, "/job/kept", "kept 1\n");
      // 1.5.1 answers 400 and holds a group without a push time from then on.
      await expect(push(b, "/job/kept", "kept 1 1000\n")).rejects.toThrow("400");
      const text = await federateNewest(members);
      expect(samples(text)).toEqual(['kept{instance="",job="kept"} 1']);
      expect(text.match(/^push_time_seconds\{.*\} (\S+)$/gm)?.length).toBe(1);
      expect(text).not.toMatch(/^push_time_seconds\{.*\} 0$/m);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "shows metrics of several types as untyped, all of them, and says so",
    async () => {
      const { members, router } = await startCluster(3);
      const [a, b, c] = members as [Pushgateway, Pushgateway, Pushgateway];
      await push(
        a,
        "/job/a",
        '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n# TYPE fine gauge\nfine 1\n',
      );
      await push(b, "/job/b", "# TYPE h gauge\nh 2\n# TYPE fine gauge\nfine 2\n");
      await push(c, "/job/c", "# TYPE h_sum counter\nh_sum 3\n");
      const text = await federate(router);
      expect(text.replaceAll(/^.*push_.*\n/gm, "")).toBe(
        [
          "# TYPE fine gauge",
          'fine{instance="",job="a"} 1',
          'fine{instance="",job="b"} 2',
          "# TYPE h untyped",
          'h{instance="",job="b"} 2',
          "# TYPE h_bucket untyped",
          'h_bucket{instance="",job="a",le="+Inf"} 1',
          "# TYPE h_count untyped",
          'h_count{instance="",job="a"} 1',
          "# TYPE h_sum untyped",
          'h_sum{instance="",job="a"} 1',
          'h_sum{instance="",job="c"} 3',
          "",
        ].join("\n"),
      );
      expect((await router.metrics()).get("dynamic_sharding_federate_type_clashes")).toBe(2);
      await federate(router);
      const logged = router.log.filter((line) => line.includes("several types"));
      expect(logged.length).toBe(2);
      expect(logged[0]).toContain(
        `name=h member=${a.address} type="histogram h" other_member=${b.address} other_type="gauge h"`,
      );
      // What is asked for does not change how it looks.
      expect(await federate(router, '?match[]=h{job="b"}')).toBe('# TYPE h untyped\nh{instance="",job="b"} 2\n');
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "selects series by match[], and refuses what is no selector",
    async () => {
      const { members, router } = await startCluster(2);
      const [a, b] = members as [Pushgateway, Pushgateway];
      await push(a, "/job/%C3%B6l/n/1", 'x{y="z"} 1\nw 1\n');
      await push(b, "/job/other/n/2", "x 2\n");
      const query = (...selectors: string[]) =>
        `?${selectors.map((s) => `match%5B%5D=${encodeURIComponent(s)}`).join("&")}`;
      expect(samples(await federate(router, query('{job="öl"}')))).toEqual([
        'w{instance="",job="öl",n="1"} 1',
        'x{instance="",job="öl",n="1",y="z"} 1',
      ]);
      expect(samples(await federate(router, query('{y=~"."}', 'x{n="2"}')))).toEqual([
        'x{instance="",job="öl",n="1",y="z"} 1',
        'x{instance="",job="other",n="2"} 2',
      ]);
      expect(await federate(router, query("nothing"))).toBe("");
      const refused = await router.get(`/federate${query("x[5m]")}`);
      expect(refused.status).toBe(400);
      expect(await refused.text()).toContain("Cannot read the selector x[5m]");
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "does without a member that hangs or is dead, and says so",
    async () => {
      // A member that checks have taken out is not asked.
      const { members, router } = await startCluster(3, [], { health_check: { interval: "1h", timeout: "1s" } });
      const [a, b, c] = members as [Pushgateway, Pushgateway, Pushgateway];
      for (const [index, member] of members.entries()) await push(member, `/job/j${index}`, `x ${index}\n`);
      await b.freeze();
      const hanging = await router.get("/federate", { headers: { "X-Prometheus-Scrape-Timeout-Seconds": "1" } });
      expect([hanging.status, hanging.headers.get(MISSING)]).toEqual([200, b.address]);
      expect(samples(await hanging.text())).toEqual(['x{instance="",job="j0"} 0', 'x{instance="",job="j2"} 2']);
      b.kill("SIGCONT");
      await c.stop();
      await waitFor("the frozen one to be back", async () => {
        const response = await router.get("/federate");
        return response.headers.get(MISSING) === c.address && samples(await response.text()).length === 2;
      });
      expect((await router.metrics()).get("dynamic_sharding_federate_missing_members")).toBe(1);
      const failures = await router.metrics();
      expect(failures.get('dynamic_sharding_federate_failures_total{reason="timeout"}')).toBeGreaterThan(0);
      expect(failures.get('dynamic_sharding_federate_failures_total{reason="refused"}')).toBeGreaterThan(0);
      expect(router.log.some((line) => line.includes("Federating without") && line.includes(b.address))).toBe(true);
      await a.stop();
      await b.freeze();
      const none = await router.get("/federate", { headers: { "X-Prometheus-Scrape-Timeout-Seconds": "0.5" } });
      expect(none.status).toBe(503);
      expect(await none.text()).toContain(`Cannot GET /metrics at ${a.address}: it refuses the connection`);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "serves four scrapes at a time, and works for nobody who has left",
    async () => {
      const { members, router } = await startCluster(2);
      const [a, b] = members as [Pushgateway, Pushgateway];
      await push(a, "/job/a", "x 1\n");
      await b.freeze();
      const clients = await Promise.all(Array.from({ length: 4 }, () => RawConnection.open(router.address)));
      for (const client of clients) {
        resources.use(client);
        await client.write(`GET /federate HTTP/1.1\r\nHost: r\r\nX-Prometheus-Scrape-Timeout-Seconds: 300\r\n\r\n`);
      }
      const busy = await waitFor("the fifth to be turned away", async () => {
        const response = await router.get("/federate", { headers: { "X-Prometheus-Scrape-Timeout-Seconds": "0.2" } });
        return response.status === 503 && response;
      });
      expect([busy.headers.get("Retry-After"), await busy.text()]).toEqual([
        "1",
        "Busy: 4 scrapes of /federate are under way\n",
      ]);
      for (const client of clients) client.abort();
      await waitFor("the others to make room", async () => {
        const response = await router.get("/federate", { headers: { "X-Prometheus-Scrape-Timeout-Seconds": "0.2" } });
        return response.status === 200 && samples(await response.text()).length === 1;
      });
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "shows what the text format has of a native histogram",
    async () => {
      const { members, router } = await startCluster(1);
      const [a] = members as [Pushgateway];
      const buckets = { spans: [{ offset: 0, length: 2 }], deltas: [1, 1], counts: [] };
      const none = { spans: [], deltas: [], counts: [] };
      const native = { schema: 0, zeroThreshold: 0.1, zeroCount: 0, negative: none, positive: buckets, exemplars: [] };
      const value = { count: 3, sum: 4.5, buckets: [], native, isFloat: false };
      const metric = { labels: [], value, timestampMs: undefined, exemplar: undefined, createdAt: undefined };
      const body = encodeDelimited([{ name: "n_seconds", help: "native", type: "histogram", metrics: [metric] }]);
      const contentType =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
      const pushed = await fetch(`${a.url}/metrics/job/native`, {
        method: "PUT",
        body,
        headers: { "Content-Type": contentType },
      });
      expect(pushed.status).toBe(200);
      expect(samples(await federate(router))).toEqual([
        'n_seconds_bucket{instance="",job="native",le="+Inf"} 3',
        'n_seconds_sum{instance="",job="native"} 4.5',
        'n_seconds_count{instance="",job="native"} 3',
      ]);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "shows names in UTF-8 to who can read them, and underscores to others",
    async () => {
      const { members, router } = await startCluster(2, ["--push.enable-utf8-names"]);
      const [a] = members as [Pushgateway];
      await push(a, "/job/u/U__a_2e_b/v", '{"m.x","c d"="e"} 1\nplain{x="y"} 2\n');
      const utf8 = await router.get("/federate", {
        headers: { Accept: "text/plain;version=1.0.0;escaping=allow-utf-8" },
      });
      expect(utf8.headers.get("Content-Type")).toContain("escaping=allow-utf-8");
      const Accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8,text/plain;version=0.0.4";
      const other = await router.get("/federate", { headers: { Accept } });
      expect(other.headers.get("Content-Type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      const text = await utf8.text();
      expect(seriesOf(text)).toEqual(await newestSeries(members));
      expect(text).toContain('# TYPE "m.x" untyped');
      expect(samples(await federate(router))).toEqual([
        'm_x{a_b="v",c_d="e",instance="",job="u"} 1',
        'plain{a_b="v",instance="",job="u",x="y"} 2',
      ]);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "is what promtool takes, in gzip for those who take that",
    async () => {
      const { members, router } = await startCluster(2);
      const lines = Array.from({ length: 2_000 }, (_, i) => `steps_total{n="${i}"} ${i}\n`).join("");
      for (const [index, member] of members.entries()) {
        await push(member, `/job/j${index}`, `# HELP steps_total What was done.\n# TYPE steps_total counter\n${lines}`);
      }
      const plain = await router.get("/federate", { headers: { "Accept-Encoding": "identity" } });
      const text = await plain.text();
      expect(plain.headers.get("Content-Length")).toBe(String(text.length));
      const zipped = await router.get("/federate", { headers: { "Accept-Encoding": "gzip" } });
      expect(zipped.headers.get("Content-Encoding")).toBe("gzip");
      expect(await zipped.text()).toBe(text);
      expect(seriesOf(text).length).toBe(4_004);
      expect(await runCommand([await part("promtool"), "check", "metrics"], { input: text })).toBe("");
    },
    TEST_TIMEOUT_MS,
  );
});

await describeWithParts(["prometheus", "pushgateway-1.11.0", "pushgateway-1.5.1"], "Prometheus at /federate", () => {
  test(
    "keeps the labels that were pushed, and sees one copy of each group",
    async () => {
      const { members, router } = await startCluster(2);
      const [a, b] = members as [Pushgateway, Pushgateway];
      await push(a, "/job/batch/instance/db-1", "# TYPE done_total counter\ndone_total 1\n");
      await Bun.sleep(CLOCK_DOUBT_MS);
      await push(b, "/job/batch/instance/db-1", "# TYPE done_total counter\ndone_total 2\n");
      await push(b, "/job/bare", "# TYPE done_total counter\ndone_total 3\n");
      const prometheus = resources.use(
        await startPrometheus({
          scrapeConfigs: [
            {
              job_name: "groups",
              honor_labels: true,
              metrics_path: "/federate",
              static_configs: [{ targets: [router.address] }],
            },
          ],
        }),
      );
      await waitFor("a scrape", async () => (await prometheus.query("up == 1")).length === 1);
      const found = await waitFor("the groups", async () => {
        const series = await prometheus.query("done_total");
        return series.length >= 2 && series;
      });
      expect(found.map(({ labels: { job, instance = "" }, value }) => [job, instance, value]).sort()).toEqual([
        ["bare", "", 3],
        ["batch", "db-1", 2],
      ]);
    },
    TEST_TIMEOUT_MS,
  );
});

describe("/federate without members", () => {
  test("waits for discovery", async () => {
    const slowChecks = { interval: "1h", timeout: "1h" };
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    resources.defer(async () => silent.stop(true));
    const config = configOf([{ address: `127.0.0.1:${silent.port}` }], { health_check: slowChecks });
    const router = resources.use(await LocalRouter.start(config, { untilReady: false }));
    const response = await router.get("/federate");
    expect([response.status, response.headers.get("Retry-After")]).toEqual([503, "1"]);
  });
});
