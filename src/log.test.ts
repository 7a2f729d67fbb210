import { describe, expect, test } from "bun:test";
import { createLogger, type LogFormat, type LogLevel } from "./log.ts";

function capture(level: LogLevel, format: LogFormat) {
  const lines: string[] = [];
  return { lines, log: createLogger({ level, format, write: (line) => lines.push(line) }) };
}

describe("createLogger()", () => {
  test("prints logfmt with quoted values only where they need it", () => {
    const { lines, log } = capture("info", "logfmt");
    log.info("Listening", { address: "127.0.0.1:9292", note: 'say "hi"', empty: "", missing: undefined });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^ts=\d{4}-\d\d-\d\dT[\d:.]+Z level=info msg=Listening address=127\.0\.0\.1:9292 note="say \\"hi\\"" empty=""\n$/,
    );
  });

  test("keeps one record on one line whatever its fields hold", () => {
    const { lines, log } = capture("debug", "logfmt");
    log.warn("Odd", { value: "a\nlevel=error msg=forged" });
    expect(lines[0]?.trimEnd()).not.toContain("\n");
  });

  test("prints one JSON object a line", () => {
    const { lines, log } = capture("info", "json");
    log.error("Cannot reload", { err: new Error("outer", { cause: new Error("inner") }), attempts: 3 });
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "error",
      msg: "Cannot reload",
      err: "outer: inner",
      attempts: 3,
    });
  });

  test("prints nothing below its level", () => {
    const { lines, log } = capture("warn", "logfmt");
    log.debug("no");
    log.info("no");
    log.warn("yes");
    expect(lines).toHaveLength(1);
    expect(log.debugEnabled).toBe(false);
  });
});
