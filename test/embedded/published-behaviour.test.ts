import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPushgatewayProcess } from "../support/embedded-pushgateway.ts";
import { describeWithParts } from "../support/parts.ts";
import { startPushgateway } from "../support/pushgateway.ts";
import type { ServerProcess } from "../support/server-process.ts";

/*
 * What Pushgateway's README promises its users, asked of real ones and of ours by the same assertions. All of them run as
 * processes, with the same flags.
 */

interface Server extends ServerProcess {
  readonly url: string;
}

interface Candidate {
  readonly name: string;
  readonly parts: readonly ("pushgateway-1.5.1" | "pushgateway-1.11.0")[];
  start(flags?: readonly string[], persistenceFile?: string): Promise<Server>;
}

const CANDIDATES: readonly Candidate[] = [
  {
    name: "The embedded Pushgateway",
    parts: [],
    start: (flags = [], file = "") => startPushgatewayProcess([`--persistence.file=${file}`, ...flags]),
  },
  ...(["1.5.1", "1.11.0"] as const).map(
    (version): Candidate => ({
      name: `Pushgateway ${version}`,
      parts: [`pushgateway-${version}`],
      start: (flags = [], persistenceFile = "") =>
        startPushgateway({ version, persistenceFile, flags: ["--log.level=error", ...flags] }),
    }),
  ),
];

/** What a test asks of a server. */
class Client {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** The status; 400 also where 1.11.0 closes the connection on a push that does not fit. */
  async request(method: string, path: string, body?: string | Uint8Array<ArrayBuffer>, headers = {}): Promise<number> {
    const init: BunFetchRequestInit = { method, headers, keepalive: false, signal: AbortSignal.timeout(10_000) };
    if (body !== undefined) init.body = body;
    try {
      const response = await fetch(this.#url + path, init);
      await response.body?.cancel();
      return response.status;
    } catch (error) {
      if ((error as { code?: string }).code === "ECONNRESET") return 400;
      throw error;
    }
  }

  put(path: string, body: string): Promise<number> {
    return this.request("PUT", `/metrics/job/${path}`, body);
  }

  post(path: string, body: string): Promise<number> {
    return this.request("POST", `/metrics/job/${path}`, body);
  }

  delete(path: string): Promise<number> {
    return this.request("DELETE", `/metrics/job/${path}`);
  }

  /** Lines of the exposition that begin so, in the order of their bytes. */
  async lines(start: string): Promise<readonly string[]> {
    // A DELETE is answered before it is done; a push that is taken, after everything before it.
    expect(await this.put("barrier", "")).toBe(200);
    const text = await (await fetch(`${this.#url}/metrics`)).text();
    return text
      .split("\n")
      .filter((line) => line.startsWith(start))
      .sort();
  }

  async pushTime(name: "push_time_seconds" | "push_failure_time_seconds", job: string): Promise<number | undefined> {
    const [line] = await this.lines(`${name}{instance="",job="${job}"}`);
    return line === undefined ? undefined : Number(line.split(" ")[1]);
  }
}

for (const candidate of CANDIDATES) {
  await describeWithParts(candidate.parts, candidate.name, () => {
    let server: Server;
    let client: Client;
    beforeAll(async () => {
      server = await candidate.start(["--web.enable-admin-api"]);
      client = new Client(server.url);
    });
    afterAll(async () => await server.stop());
    beforeEach(async () => expect(await client.request("PUT", "/api/v1/admin/wipe")).toBe(202));

    test("PUT replaces all metrics of the group", async () => {
      expect(await client.put("a", "x 1\ny 1\n")).toBe(200);
      expect(await client.put("a", "y 2\n")).toBe(200);
      expect(await client.lines("x")).toEqual([]);
      expect(await client.lines("y")).toEqual(['y{instance="",job="a"} 2']);
    });

    test("POST replaces the metrics of the names that are pushed, all series of them, and no others", async () => {
      await client.put("a", 'x 1\ny{n="1"} 1\ny{n="2"} 1\n');
      expect(await client.post("a", 'y{n="1"} 2\n')).toBe(200);
      expect(await client.lines("x")).toEqual(['x{instance="",job="a"} 1']);
      expect(await client.lines("y")).toEqual(['y{instance="",job="a",n="1"} 2']);
    });

    test("DELETE takes away this very group, and answers 202 even when there is none", async () => {
      await client.put("a", "x 1\n");
      await client.put("a/instance/i", "x 1\n");
      expect(await client.delete("a")).toBe(202);
      expect(await client.delete("never")).toBe(202);
      expect(await client.lines("x")).toEqual(['x{instance="i",job="a"} 1']);
      expect(await client.lines('push_time_seconds{instance="",job="a"}')).toEqual([]);
    });

    test("requests for one group take effect in the order in which they come", async () => {
      for (let round = 0; round < 10; round++) {
        await client.put("a", `x ${round}\n`);
        await client.delete("a");
      }
      expect(await client.lines("x")).toEqual([]);
      await client.delete("a");
      await client.put("a", "x 7\n");
      expect(await client.lines("x")).toEqual(['x{instance="",job="a"} 7']);
    });

    test("an empty PUT takes all metrics away, an empty POST none, and both renew the push time", async () => {
      for (const [method, left] of [
        ["POST", ['x{instance="",job="a"} 1']],
        ["PUT", []],
      ] as const) {
        await client.put("a", "x 1\n");
        const before = (await client.pushTime("push_time_seconds", "a")) ?? 0;
        await Bun.sleep(2); // Embedded Pushgateways tell times in milliseconds.
        expect(await client.request(method, "/metrics/job/a", "")).toBe(200);
        expect(await client.lines("x")).toEqual([...left]);
        expect((await client.pushTime("push_time_seconds", "a")) ?? 0).toBeGreaterThan(before);
      }
    });

    test("labels of the grouping key overwrite those of the body; a series without an instance gets an empty one", async () => {
      await client.put("a/zone/z", 'x{job="b",zone="y",instance="i"} 1\nx{other="o"} 2\n');
      expect(await client.lines("x")).toEqual([
        'x{instance="",job="a",other="o",zone="z"} 2',
        'x{instance="i",job="a",zone="z"} 1',
      ]);
    });

    test("a grouping key is the same in any order of its labels and however its values are encoded", async () => {
      await client.put("a/b/1/c/2", "x 1\n");
      await client.put("a/c/2/b/1", "x 2\n");
      await client.request("PUT", "/metrics/job@base64/YQ/c@base64/Mg==/b@base64/MQ", "x 3\n");
      expect(await client.lines("x")).toEqual(['x{b="1",c="2",instance="",job="a"} 3']);
    });

    test("base64 carries what a path cannot: slashes, and nothing at all", async () => {
      expect(await client.request("PUT", "/metrics/job/directory_cleaner/path@base64/L3Zhci90bXA", "x 1\n")).toBe(200);
      expect(await client.request("PUT", "/metrics/job/example/first@base64/=", "x 2\n")).toBe(200);
      expect(await client.request("PUT", "/metrics/job/titan/name@base64/zqDPgc6_zrzOt864zrXPjc-C", "x 3\n")).toBe(200);
      expect(await client.lines("x")).toEqual([
        'x{first="",instance="",job="example"} 2',
        'x{instance="",job="directory_cleaner",path="/var/tmp"} 1',
        'x{instance="",job="titan",name="Προμηθεύς"} 3',
      ]);
    });

    test.each([
      ["an odd number of parts", "/metrics/job/a/b"],
      ["a label name that is none", "/metrics/job/a/b-c/1"],
      ["a reserved label name", "/metrics/job/a/__b/1"],
      ["a value that is no base64", "/metrics/job/a/b@base64/!"],
      ["an empty job", "/metrics/job@base64/="],
    ])("a path with %s is refused", async (_, path) => {
      expect(await client.request("PUT", path, "x 1\n")).toBe(400);
      expect(await client.lines("x")).toEqual([]);
    });

    test.each([
      ["that is not in the text format", "x\n"],
      ["without an end of its last line", "x 1"],
      ["with ends of lines as on Windows", "x 1\r\n"],
      ["with a timestamp", "x 1 1700000000000\n"],
      ["with a series twice", "x 1\nx 2\n"],
    ])("a body %s is refused, and what was there stays", async (_, body) => {
      await client.put("a", "y 1\n");
      expect(await client.post("a", body)).toBe(400);
      expect(await client.put("a", body)).toBe(400);
      expect(await client.lines("x")).toEqual([]);
      expect(await client.lines("y")).toEqual(['y{instance="",job="a"} 1']);
    });

    test("metrics must fit with those of other groups in type and labels, but not in help", async () => {
      await client.put("a", "# HELP x One.\n# TYPE x counter\nx 1\n");
      expect(await client.put("b", "# HELP x Another.\n# TYPE x counter\nx 1\n")).toBe(200);
      expect(await client.put("c", "# TYPE x gauge\nx 1\n")).toBe(400);
      expect(await client.put("c", "x 1\n")).toBe(400);
      await client.put("d", 'y{zone="z"} 1\n');
      expect(await client.put("d/zone/z", "y 1\n")).toBe(400);
      expect((await client.lines("x")).length).toBe(2);
      expect((await client.lines("y")).length).toBe(1);
    });

    test("a type may change where nobody else has the metric", async () => {
      await client.put("a", "# TYPE x counter\nx 1\n");
      expect(await client.put("a", "# TYPE x gauge\nx 1\n")).toBe(200);
      expect(await client.lines("# TYPE x")).toEqual(["# TYPE x gauge"]);
    });

    test("push_time_seconds tells of the last push that was taken, push_failure_time_seconds of the last that was not", async () => {
      await client.put("a", "x 1\n");
      const pushed = (await client.pushTime("push_time_seconds", "a")) ?? 0;
      expect(Math.abs(pushed - Date.now() / 1000)).toBeLessThan(10);
      expect(await client.pushTime("push_failure_time_seconds", "a")).toBe(0);
      await client.put("a", "x 1\nx 2\n");
      expect(await client.pushTime("push_time_seconds", "a")).toBe(pushed);
      expect((await client.pushTime("push_failure_time_seconds", "a")) ?? 0).toBeGreaterThan(pushed);
    });

    test("a group whose first push fails has a push time of 0; one that cannot be parsed makes no group", async () => {
      await client.put("a", "x 1\nx 2\n");
      await client.put("b", "x\n");
      expect(await client.pushTime("push_time_seconds", "a")).toBe(0);
      expect((await client.pushTime("push_failure_time_seconds", "a")) ?? 0).toBeGreaterThan(0);
      expect(await client.pushTime("push_time_seconds", "b")).toBeUndefined();
    });

    test("gzip is taken off", async () => {
      const headers = { "content-encoding": "gzip" };
      expect(await client.request("PUT", "/metrics/job/a", Bun.gzipSync("x 1\n"), headers)).toBe(200);
      expect(await client.lines("x")).toEqual(['x{instance="",job="a"} 1']);
    });

    test("wiping deletes all groups", async () => {
      for (const job of ["a", "b", "c"]) await client.put(job, "x 1\n");
      expect(await client.request("PUT", "/api/v1/admin/wipe")).toBe(202);
      expect(await client.lines("x")).toEqual([]);
      expect((await client.lines("push_time_seconds{")).length).toBe(1);
    });

    test("the API tells of each group whether its last push was taken", async () => {
      await client.put("a", "x 1\n");
      await client.put("b", "x 1\nx 2\n");
      await client.put("barrier", "");
      const { data } = (await (await fetch(`${server.url}/api/v1/metrics`)).json()) as {
        data: readonly { labels: { job: string }; last_push_successful: boolean }[];
      };
      const states = data.map(({ labels, last_push_successful }) => [labels.job, last_push_successful] as const);
      expect(Object.fromEntries(states)).toEqual({ a: true, b: false, barrier: true });
    });

    test("management answers on its paths, and ends nothing unless it may", async () => {
      for (const path of ["/-/healthy", "/-/ready", "/api/v1/status"]) {
        expect(await client.request("GET", path)).toBe(200);
      }
      expect(await client.request("PUT", "/-/quit")).toBe(403);
      expect(server.running).toBe(true);
    });

    test("what its flags turn on is off without them", async () => {
      await using plain = await candidate.start(["--push.disable-consistency-check", "--web.enable-lifecycle"]);
      const other = new Client(plain.url);
      expect(await other.request("PUT", "/api/v1/admin/wipe")).toBe(404);
      expect(await other.put("a", "x 1\n")).toBe(202);
      expect(await other.request("PUT", "/-/quit")).toBe(200);
      expect(await plain.exited()).toBe(0);
    });

    test("the persistence file brings back what PUT, POST and DELETE have left, with its push times", async () => {
      const folder = await mkdtemp(join(tmpdir(), "dynamic-sharding-behaviour-"));
      await using persistent = await candidate.start([], join(folder, "groups"));
      const other = new Client(persistent.url);
      await other.put("a", "x 1\ny 1\n");
      await other.post("a", "y 2\nz 2\n");
      await other.put("b", "x 1\n");
      await other.delete("b");
      await other.put("c", "x 1\nx 2\n");
      const before = await other.lines("push_");
      persistent.kill("SIGTERM");
      await persistent.exited();
      await persistent.start();
      expect((await other.lines("push_")).filter((line) => !line.includes("barrier"))).toEqual(
        before.filter((line) => !line.includes("barrier")),
      );
      expect(await other.lines("x")).toEqual(['x{instance="",job="a"} 1']);
      expect(await other.lines("y")).toEqual(['y{instance="",job="a"} 2']);
      expect(await other.lines("z")).toEqual(['z{instance="",job="a"} 2']);
      await persistent.stop();
      await rm(folder, { recursive: true });
    });
  });
}
