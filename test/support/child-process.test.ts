import { afterAll, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ChildProcess } from "./child-process.ts";
import { temporaryFolder } from "./server-process.ts";
import { waitFor } from "./wait-for.ts";

const folder = await temporaryFolder("child-process");
afterAll(() => rm(folder, { recursive: true }));

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("ChildProcess", () => {
  test("keeps what the program said on both streams, also right before its end", async () => {
    await using child = new ChildProcess(["sh", "-c", "echo out; echo err >&2; exit 3"]);
    expect(await child.exited).toBe(3);
    expect(child.output().split("\n").sort()).toEqual(["", "err", "out"]);
  });

  test("keeps only the last output of a program that says much", async () => {
    await using child = new ChildProcess(["sh", "-c", "seq 1 100000"]);
    await child.exited;
    expect(child.output().endsWith("99999\n100000\n")).toBe(true);
    expect(child.output().length).toBe(64 * 1024);
  });

  test("ends a frozen program, and one that ignores SIGTERM", async () => {
    await using frozen = new ChildProcess(["sleep", "60"]);
    frozen.kill("SIGSTOP");
    await frozen.stop();
    expect(await frozen.exited).toBe("SIGTERM");

    await using stubborn = new ChildProcess(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]);
    await waitFor("the trap", () => stubborn.output().includes("ready"));
    await stubborn.stop(100);
    expect(await stubborn.exited).toBe("SIGKILL");
  });

  test("leaves no program behind when this process is killed", async () => {
    const parent = join(folder, "parent.ts");
    const module = join(import.meta.dir, "child-process.ts");
    await Bun.write(
      parent,
      `import { ChildProcess } from ${JSON.stringify(module)};
       console.log("child", new ChildProcess(["sleep", "60"]).pid);`,
    );
    await using killed = new ChildProcess([process.execPath, parent]);
    const pid = await waitFor("the child", () => /child (\d+)/.exec(killed.output())?.[1]);
    expect(isAlive(Number(pid))).toBe(true);
    killed.kill("SIGKILL");
    await killed.exited;
    await waitFor("the child to be gone", () => !isAlive(Number(pid)));
  });
});
