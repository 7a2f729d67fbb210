import { describe, expect, test } from "bun:test";
import { createLogger, NOP_LOGGER } from "../log.ts";
import type { Config } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { ConfigSection } from "./config-section.ts";
import { readConfig } from "./read-config.ts";
import { ConfigReloader } from "./reloader.ts";
import { SecretFiles } from "./secret-files.ts";
import { YamlFile } from "./yaml-file.ts";

const noFiles = await SecretFiles.read([], "dynamic-sharding.yml");

function configWithPort(port: number): Config {
  const yaml = new YamlFile("test.yml", `http_listen_addr: :${port}\npushgateway: { servers: [a] }`);
  return ConfigSection.readFile(yaml, (section) => readConfig(section, noFiles));
}

const FIRST = configWithPort(1);
const SECOND = configWithPort(2);
const PROBLEM = { file: "a.yml", line: 3, column: 5, key: "limits.x", message: "unknown key" };

describe("ConfigReloader.reload()", () => {
  test("applies the new configuration over the running one", async () => {
    const applied: [Config, Config][] = [];
    const reloader = new ConfigReloader({
      config: FIRST,
      load: async () => SECOND,
      apply: async (next, previous) => void applied.push([next, previous]),
      log: NOP_LOGGER,
    });
    expect(await reloader.reload()).toEqual({ ok: true });
    expect(applied).toEqual([[SECOND, FIRST]]);
    expect(reloader.config).toBe(SECOND);
  });

  test("keeps the running configuration and logs each problem when the file is bad", async () => {
    const lines: string[] = [];
    const reloader = new ConfigReloader({
      config: FIRST,
      load: () => Promise.reject(new ConfigError([PROBLEM, { ...PROBLEM, line: 4 }])),
      apply: () => Promise.reject(new Error("must not be called")),
      log: createLogger({ level: "info", format: "logfmt", write: (line) => void lines.push(line) }),
    });
    const result = await reloader.reload();
    expect(result).toMatchObject({ ok: false, error: { problems: [PROBLEM, { line: 4 }] } });
    expect(reloader.config).toBe(FIRST);
    expect(lines).toHaveLength(3);
    expect(lines[1]).toContain('file=a.yml line=3 column=5 key=limits.x problem="unknown key"');
  });

  test("keeps the running configuration when applying the new one fails, and recovers with the next reload", async () => {
    const failures = [new Error("Cannot reach Consul")];
    const reloader = new ConfigReloader({
      config: FIRST,
      load: async () => SECOND,
      apply: async () => {
        const failure = failures.pop();
        if (failure !== undefined) throw failure;
      },
      log: NOP_LOGGER,
    });
    expect(await reloader.reload()).toMatchObject({ ok: false, error: { message: "Cannot reach Consul" } });
    expect(reloader.config).toBe(FIRST);
    expect(await reloader.reload()).toEqual({ ok: true });
    expect(reloader.config).toBe(SECOND);
  });

  test("runs one reload at a time, and one more for all who asked while it ran", async () => {
    const loads: PromiseWithResolvers<Config>[] = [];
    let underWay = 0;
    let mostUnderWay = 0;
    const reloader = new ConfigReloader({
      config: FIRST,
      load: async () => {
        mostUnderWay = Math.max(mostUnderWay, ++underWay);
        const load = Promise.withResolvers<Config>();
        loads.push(load);
        return load.promise.finally(() => underWay--);
      },
      apply: async () => {},
      log: NOP_LOGGER,
    });
    const first = reloader.reload();
    const chained = first.then(() => reloader.reload());
    await Bun.sleep(0);
    expect(loads).toHaveLength(1);
    const second = reloader.reload();
    const third = reloader.reload();
    expect(third).toBe(second);
    loads[0]?.resolve(SECOND);
    expect(await first).toEqual({ ok: true });
    while (loads.length < 2) await Bun.sleep(0);
    loads[1]?.resolve(FIRST);
    expect(await second).toEqual({ ok: true });
    expect(await chained).toEqual({ ok: true });
    expect(loads).toHaveLength(2);
    expect(mostUnderWay).toBe(1);
  });

  test("gives up on files that cannot be read in time and stays ready for the next reload", async () => {
    const loads = [new Promise<Config>(() => {}), Promise.resolve(SECOND)];
    const reloader = new ConfigReloader({
      config: FIRST,
      load: () => loads.shift() ?? Promise.reject(new Error("no more")),
      apply: async () => {},
      log: NOP_LOGGER,
      loadTimeoutMs: 5,
    });
    expect(await reloader.reload()).toMatchObject({
      ok: false,
      error: { message: "Cannot read the configuration: the files could not be read within 5 ms" },
    });
    expect(await reloader.reload()).toEqual({ ok: true });
  });
});
