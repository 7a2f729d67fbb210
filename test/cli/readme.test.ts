import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { RUN } from "../../src/flags.ts";
import { freePort } from "../support/free-port.ts";
import { chapterOf, tableRows } from "../support/markdown.ts";
import { REPOSITORY } from "../support/parts.ts";
import { type RouterProcess, startRouterProcess } from "../support/router.ts";

const readme = await Bun.file(join(REPOSITORY, "README.md")).text();

/** The texts in backquotes. */
function codeIn(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
}

test("README.md installs the version that there is", () => {
  const packages = [...readme.matchAll(/\S+\.tgz/g)].map(([file]) => file);
  expect(packages).toEqual([`./${packageJson.name}-${packageJson.version}.tgz`]);
});

describe("the flags in README.md", () => {
  const rows = tableRows(chapterOf(readme, "### Flags"));

  test("are those that there are", () => {
    const flags = Object.values(RUN.flags).map(({ name, short }) =>
      short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`],
    );
    expect(rows.map(([names = ""]) => codeIn(names))).toEqual(flags);
  });

  test("have their defaults", () => {
    const stated = rows.map(([, value = ""]) => codeIn(value)[0]);
    // ADDRESS and the like stand for a value and are no default.
    const actual = Object.values(RUN.flags).map(({ placeholder }) =>
      placeholder === undefined || /^[A-Z]+$/.test(placeholder) ? undefined : placeholder.replaceAll('"', ""),
    );
    expect(stated).toEqual(actual);
  });
});

describe("README.md and a live router agree on", () => {
  let router: RouterProcess;

  beforeAll(async () => {
    // Its one member is dead, so that there are failures to count.
    const config = { pushgateway: { servers: [`127.0.0.1:${freePort()}`] } };
    router = await startRouterProcess({ config, args: ["--web.enable-lifecycle"] });
  });
  afterAll(async () => {
    await router[Symbol.asyncDispose]();
  });

  async function request(method: string, path: string): Promise<Response> {
    return await fetch(`${router.url}${path}`, { method, signal: AbortSignal.timeout(10_000) });
  }

  const documented = documentedEndpoints();

  test("paths", async () => {
    const sources = ["src/router-app.ts", "src/web/management.ts", "src/web/cluster/cluster-routes.ts"].map((file) =>
      Bun.file(join(REPOSITORY, file)),
    );
    const texts = await Promise.all(sources.map((source) => source.text()));
    const fixed = texts.flatMap((text) => [...text.matchAll(/^ *"(\/[^"]*)": \{/gm)].map(([, path = ""]) => path));
    expect(fixed.length).toBeGreaterThan(5);
    const paths = [...documented.keys()].map((path) => path.replace(/\?.*/, ""));
    expect(paths.toSorted()).toEqual([...fixed, "/metrics/job/…"].toSorted());
  });

  test.each([...documented])("the methods of %s", async (path, methods) => {
    const sample = path.replace("…", "backup/instance/db-1").replace("path=", "path=%2Fmetrics%2Fjob%2Fbackup");
    const allowed = [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"].toSorted();
    for (const method of ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]) {
      const { status, headers } = await request(method, sample);
      expect([method, status === 404, status === 405]).toEqual([method, false, !allowed.includes(method)]);
      if (status === 405) expect(headers.get("allow")?.split(", ")).toEqual(allowed);
    }
  });

  test("metrics, their types and their labels", async () => {
    expect((await request("PUT", "/metrics/job/backup")).status).toBe(503);
    await request("GET", "/-/ready");
    const scrape = await (await request("GET", "/metrics")).text();
    const types = [...scrape.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = "", type = ""]) => [name, type]);
    const stated = [
      ...chapterOf(readme, "## Metrics").matchAll(/`(\w+)` \((counter|gauge|histogram)(?:; ([^)]+))?\)/g),
    ];
    expect(stated.map(([, name = "", type = ""]) => [name, type]).toSorted()).toEqual(types.toSorted());
    for (const [, name = "", , labels = ""] of stated) {
      const samples = [...scrape.matchAll(new RegExp(`^${name}(?:_count)?(?:\\{(.*)\\})? \\S+$`, "gm"))];
      expect([name, samples.length > 0]).toEqual([name, true]);
      for (const [, actual = ""] of samples) {
        expect([name, [...actual.matchAll(/(\w+)="/g)].map(([, label]) => label)]).toEqual([name, [...codeIn(labels)]]);
      }
    }
  });
});

/** Paths as the table has them, with their methods. */
function documentedEndpoints(): ReadonlyMap<string, readonly string[]> {
  const endpoints = new Map<string, string[]>();
  for (const [path = "", methods = ""] of tableRows(chapterOf(readme, "## Endpoints"))) {
    const [name = ""] = codeIn(path);
    endpoints.set(name, [...(endpoints.get(name) ?? []), ...methods.split(", ")]);
  }
  return endpoints;
}
