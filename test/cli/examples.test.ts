import { describe, expect, test } from "bun:test";
import { readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { parseCommandLine } from "../../src/command-line.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { anchorsOf, chapterOf, codeBlocks, linksOf } from "../support/markdown.ts";
import { describeWithParts, part, REPOSITORY } from "../support/parts.ts";
import { runCommand } from "../support/run-command.ts";
import { temporaryFolder } from "../support/server-process.ts";

const PAGES = [
  ...(await readdir(REPOSITORY)).filter((name) => name.endsWith(".md")),
  ...(await readdir(join(REPOSITORY, "docs"), { recursive: true })).flatMap((name) =>
    name.endsWith(".md") ? [join("docs", name)] : [],
  ),
];
const ALERTS = join(REPOSITORY, "docs/alerts.yml");

async function read(page: string): Promise<string> {
  return await Bun.file(join(REPOSITORY, page)).text();
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

interface Example {
  /** Page and position. */
  readonly place: string;
  readonly text: string;
}

/** The command lines of this program that a reader may copy from the documentation, comments and pipes cut off. */
async function commandExamples(): Promise<readonly string[]> {
  const code = await Promise.all(PAGES.map(async (page) => codeBlocks(await read(page), "sh")));
  const lines = code.flat().flatMap((block) => block.split("\n"));
  return lines.flatMap((line) => {
    const [, command] = /^dynamic-sharding((?: +(?:'[^']*'|"[^"]*"|[^\s'"|#])+)*) *(?:[|#].*)?$/.exec(line) ?? [];
    return command === undefined ? [] : [command.trim()];
  });
}

/** As a shell splits a line and takes off its quotes. */
function wordsOf(line: string): readonly string[] {
  const words = line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  return words.map((word) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single, double) => single ?? double));
}

/** All YAML that a reader may copy from the documentation, that for Prometheus apart from our own. */
async function yamlExamples(forPrometheus: boolean): Promise<readonly Example[]> {
  const examples = await Promise.all(
    PAGES.map(async (page) =>
      codeBlocks(await read(page), "yaml").map((text, index) => ({ place: `${page}, example ${index + 1}`, text })),
    ),
  );
  return examples.flat().filter(({ text }) => text.includes("scrape_configs:") === forPrometheus);
}

/** Calls `check` with a file that holds the text. */
async function withFile(text: string, check: (file: string) => Promise<void>): Promise<void> {
  const folder = await temporaryFolder("example");
  try {
    const file = join(folder, "example.yml");
    await Bun.write(file, text);
    await check(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Whether a link leads to a file of the repository, and to a heading of it if it says so. Other sites are not asked. */
async function leadsSomewhere(page: string, link: string): Promise<boolean> {
  if (/^[a-z]+:/.test(link)) return true;
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? page : join(dirname(page), path);
  if (!(await exists(join(REPOSITORY, target)))) return false;
  return anchor === undefined || anchorsOf(await read(target)).includes(anchor);
}

const configurations = await yamlExamples(false);
const scrapeConfigurations = await yamlExamples(true);

describe("the documentation", () => {
  test("shows command lines that make sense", async () => {
    const commands = await commandExamples();
    expect(commands.length).toBeGreaterThan(12);
    for (const command of commands) {
      const words = wordsOf(command).map((word) => word.replace("$router", "http://localhost:9292"));
      expect(() => parseCommandLine(words)).not.toThrow();
    }
  });

  test.each(PAGES)("%s links to what there is", async (page) => {
    const links = linksOf(await read(page));
    const verdicts = await Promise.all(links.map((link) => leadsSomewhere(page, link)));
    expect(links.filter((_, index) => !verdicts[index])).toEqual([]);
  });

  test.each(configurations)("$place is a configuration without problems", async ({ text }) => {
    await withFile(text, async (file) => {
      const { pushgateway, consul } = await loadConfig(file);
      expect(pushgateway.servers.length > 0 || consul !== undefined).toBe(true);
    });
  });

  test("shows configurations at all", () => {
    expect(configurations.length).toBeGreaterThanOrEqual(2);
  });

  test("names each alert of docs/alerts.yml in README.md", async () => {
    const { groups } = parse(await Bun.file(ALERTS).text()) as { groups: { rules: { alert: string }[] }[] };
    const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    const chapter = chapterOf(await read("README.md"), "## Metrics");
    expect([...chapter.matchAll(/^- `([A-Z]\w+)`:/gm)].map(([, name]) => name)).toEqual(alerts);
  });
});

await describeWithParts(["promtool", "promtool-2.24"], "Prometheus", () => {
  // Debian's promtool of one version knows http_sd, that of the other consul_sd.
  test.each(scrapeConfigurations)("takes $place", async ({ text }) => {
    await withFile(text, async (file) => {
      const promtool = await part(text.includes("consul_sd_configs") ? "promtool-2.24" : "promtool");
      const checked = await runCommand([promtool, "check", "config", file]);
      expect(checked).toContain("SUCCESS");
    });
  });

  test("is shown both kinds of discovery", () => {
    expect(scrapeConfigurations.some(({ text }) => text.includes("http_sd_configs"))).toBe(true);
    expect(scrapeConfigurations.some(({ text }) => text.includes("consul_sd_configs"))).toBe(true);
  });

  test("takes the alerts, and each fires for its trouble and for nothing else", async () => {
    const promtool = await part("promtool");
    expect(await runCommand([promtool, "check", "rules", ALERTS])).toContain("SUCCESS");
    const scenarios = join(REPOSITORY, "test/testdata/alerts.test.yml");
    expect(await runCommand([promtool, "test", "rules", scenarios])).toContain("SUCCESS");
  });
});
