import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { COMMANDS } from "../../src/commands.ts";
import type { Config } from "../../src/config/config.ts";
import { ConfigSection } from "../../src/config/config-section.ts";
import { readConfig } from "../../src/config/read-config.ts";
import { SecretFiles } from "../../src/config/secret-files.ts";
import { YamlFile } from "../../src/config/yaml-file.ts";
import { REPOSITORY } from "../support/parts.ts";

const SECTIONS = [
  "",
  "consul_server",
  "consul_server.tls_config",
  "pushgateway",
  "routing",
  "health_check",
  "groups",
  "groups.ttl",
  "limits",
];

/** Every key that the program knows, by section: what it offers instead of a key that it does not know. */
async function knownKeys(): Promise<ReadonlyMap<string, readonly string[]>> {
  const text = `
    zzz:
    consul_server: { zzz: , tls_config: { zzz: } }
    pushgateway: { zzz: }
    routing: { zzz: }
    health_check: { zzz: }
    groups: { zzz: , ttl: [ { zzz: , match: '{a="b"}', after: 1h } ] }
    limits: { zzz: }`;
  const yaml = new YamlFile("unknown.yml", text);
  const files = await SecretFiles.read([], "unknown.yml");
  ConfigSection.readFile(yaml, (section) => readConfig(section, files));
  const offers = yaml.problems.filter(({ message }) => message.startsWith("unknown key; expected one of "));
  return new Map(
    offers.map(({ key, message }) => [
      key.replace(/(?:\[0\])?\.?zzz$/, ""),
      message.replace("unknown key; expected one of ", "").split(", "),
    ]),
  );
}

const keys = await knownKeys();
const documentation = await Bun.file(join(REPOSITORY, "docs/configuration.md")).text();
const example = await Bun.file(join(REPOSITORY, "dynamic-sharding.example.yml")).text();

async function readText(text: string): Promise<Config> {
  const yaml = new YamlFile("text.yml", text);
  const files = await SecretFiles.read([], "text.yml");
  const config = ConfigSection.readFile(yaml, (section) => readConfig(section, files));
  expect(yaml.problems).toEqual([]);
  return config;
}

/** The part of the documentation under the heading of a section. */
function chapterOf(section: string): string {
  const [name] = section.split(".");
  return name === ""
    ? documentation
    : (documentation.split(/^## /m).find((part) => part.startsWith(`\`${name}\``)) ?? "");
}

describe("docs/configuration.md", () => {
  test.each(SECTIONS)("explains every key of section %j", (section) => {
    const prefix = section === "groups.ttl" ? "ttl[]." : section.includes(".") ? `${section.split(".").at(-1)}.` : "";
    const sectionKeys = keys.get(section) ?? [];
    expect(sectionKeys.length).toBeGreaterThan(0);
    const missing = sectionKeys.filter((key) => !chapterOf(section).includes(`\`${prefix}${key}\``));
    // Its own keys are there instead.
    expect(missing.filter((key) => key !== "tls_config")).toEqual([]);
  });

  test("states the defaults that hold", async () => {
    const entries = ["pushgateway", "routing", "health_check", "groups", "limits"].flatMap((section) =>
      [...chapterOf(section).matchAll(/^- `([a-z_0-9]+)` \(`([^`]+)`/gm)].map(([, key, value]) => ({
        section,
        key,
        value,
      })),
    );
    expect(entries.length).toBeGreaterThan(15);
    const stated = entries.map(({ section, key, value }) => `${section}: { ${key}: ${value} }`);
    const defaults = await readText("consul_server: {}");
    for (const text of stated) expect(await readText(`consul_server: {}\n${text}`)).toEqual(defaults);
  });

  test("explains every flag", () => {
    const flags = COMMANDS.flatMap((command) => Object.values(command.flags)).map(({ name }) => `\`--${name}\``);
    expect(flags.filter((flag) => !documentation.includes(flag))).toEqual([]);
  });
});

describe("dynamic-sharding.example.yml", () => {
  test("shows every key", () => {
    const all = [...keys.values()].flat();
    expect(all.length).toBeGreaterThan(40);
    expect(all.filter((key) => !new RegExp(`^[ #]*(?:- )?${key}:`, "m").test(example))).toEqual([]);
  });

  test("has no problem when its optional keys are switched on", async () => {
    const folder = join(REPOSITORY, "test/testdata/config");
    const complete = example
      .replaceAll(/^( *)# ((?: *)(?:- )?[a-z_]+:(?: .*)?)$/gm, "$1$2")
      .replace(/^ *(password_file|token):.*$/gm, "")
      .replace("consul-token", "secrets/token")
      .replace("scheme: http ", "scheme: https ")
      .replace("consul-ca.pem", "tls/client.cert.pem")
      .replace("router.pem", "tls/client.cert.pem")
      .replace("router-key.pem", "tls/client.key.pem");
    const yaml = new YamlFile("complete.yml", complete);
    const files = await SecretFiles.read(yaml.textsByKeySuffix("_file"), join(folder, "complete.yml"));
    const config = ConfigSection.readFile(yaml, (section) => readConfig(section, files));
    expect(yaml.problems).toEqual([]);
    expect(config.consul?.tls?.serverName).toBe("consul.example.org");
    expect(config.groups.ttl.map(({ afterMs }) => afterMs)).toEqual([24 * 3_600_000]);
    expect(config.consul?.deregisterCriticalServiceAfterMs).toBe(72 * 3_600_000);
  });
});
