import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ConfigSection } from "./config-section.ts";
import { readConfig } from "./read-config.ts";
import { SecretFiles } from "./secret-files.ts";
import { YamlFile } from "./yaml-file.ts";

const EXAMPLE = await Bun.file(`${import.meta.dir}/../../dynamic-sharding.example.yml`).text();
const noFiles = await SecretFiles.read([], "test.yml");

/** The problems of a text, found without reading any file that it names. */
function problemsOf(text: string) {
  const yaml = new YamlFile("test.yml", text);
  if (yaml.problems.length > 0) return yaml.problems;
  ConfigSection.readFile(yaml, (section) => readConfig(section, noFiles));
  return yaml.problems;
}

/** Names no files, which mutilation may bring out of their comments: they would have to be read before. */
const WITHOUT_FILES = EXAMPLE.replaceAll("_file:", "_fil:");

/** Pieces of which mutilated configuration files are made. */
const FRAGMENT = fc.oneof(
  fc.constantFrom(
    ..."consul_server pushgateway servers draining limits routing mode addr port max_body_bytes".split(" "),
    ...[
      ":",
      ": ",
      "\n",
      "\n  ",
      "\n    - ",
      "-",
      "[",
      "]",
      "{",
      "}",
      ",",
      "&a ",
      "*a",
      "!!str ",
      "? ",
      "|",
      ">",
      "#",
      '"',
      "'",
    ],
    ...[
      "true",
      "~",
      "0x10",
      ".inf",
      "1e99",
      "-0",
      "5s",
      "1MiB",
      "::1",
      "\t",
      "\u2028",
      "<<",
      "__proto__",
      "%YAML 1.2\n",
      "---\n",
    ],
  ),
  fc.string({ maxLength: 5 }),
);

describe("ConfigSection", () => {
  test("finds no problem in the example", () => {
    expect(problemsOf(EXAMPLE)).toEqual([]);
  });

  test("reports positions inside the file, whatever the file holds", () => {
    const text = fc.oneof(
      fc.array(FRAGMENT, { maxLength: 30 }).map((fragments) => fragments.join("")),
      fc
        .tuple(fc.nat(WITHOUT_FILES.length), fc.nat(20), FRAGMENT)
        .map(
          ([start, length, fragment]) => WITHOUT_FILES.slice(0, start) + fragment + WITHOUT_FILES.slice(start + length),
        ),
    );
    fc.assert(
      fc.property(text, (mutilated) => {
        const lineCount = mutilated.split("\n").length;
        for (const { line, column, message } of problemsOf(mutilated)) {
          expect(message).not.toBe("");
          expect(line).toBeWithin(0, lineCount + 1);
          expect(column).toBeGreaterThanOrEqual(line === 0 ? 0 : 1);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("does not blame a key for the mistake in the one that bounds it", () => {
    const problems = problemsOf("pushgateway: { servers: [a] }\nhealth_check: { interval: 20 s, timeout: 10s }");
    expect(problems.map(({ key }) => key)).toEqual(["health_check.interval"]);
  });

  test("lowers a default to the bound that the file sets", () => {
    expect(problemsOf("pushgateway: { servers: [a] }\nlimits: { request_timeout: 500ms }")).toEqual([]);
    expect(problemsOf("pushgateway: { servers: [a] }\nhealth_check: { interval: 1s }")).toEqual([]);
    expect(problemsOf("pushgateway: { servers: [a] }\nlimits: { max_buffered_total_bytes: 0 }")).toEqual([]);
  });

  test.each([
    "[s3cret]",
    "{s3cret: 1}",
    "[s3cret",
    "{s3cret",
    '"s3cret',
    '"a" s3cret',
    '"a"s3cret',
    '"\\s3cret"',
    "!s3cret",
    "!<s3cret>",
    "!s3cret! a",
    "*s3cret",
    "|s3cret",
    "|\n s3cret\ns3cret",
    "@s3cret",
    "%s3cret",
    "`s3cret",
    "s3cret: x",
    "- s3cret",
    "a\n%s3cret",
    "a\n--- s3cret",
    "a\n  password: s3cret\n  pasword: s3cret\n  password: s3cret",
  ])("repeats no secret out of %j", (token) => {
    const problems = problemsOf(`consul_server:\n  token: ${token}\n`);
    expect(problems).not.toBeEmpty();
    for (const { key, message } of problems) expect(`${key}: ${message}`).not.toContain("s3cret");
  });
});
