import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ChildProcess } from "./child-process.ts";
import { stateIn, temporaryFolder } from "./server-process.ts";
import { waitFor } from "./wait-for.ts";

const folder = await temporaryFolder("child-process");
afterAll(() => rm(folder, { recursive: true }));

/** Whether it runs: one that has ended stays until its parent has asked how. */
function isAlive(pid: number): boolean {
  try {
    return stateIn(readFileSync(`/proc/${pid}/stat`, "utf8")) !== "Z";
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
       const child = new ChildProcess(["sh", "-c", "echo up; exec sleep 60"]);
       // Before the program runs, it is not on the leash yet.
       while (!child.output().includes("up")) await Bun.sleep(5);
       console.log("child", child.pid);`,
    );
    await using killed = new ChildProcess([process.execPath, parent]);
    const pid = await waitFor("the child", () => /child (\d+)/.exec(killed.output())?.[1]);
    expect(isAlive(Number(pid))).toBe(true);
    killed.kill("SIGKILL");
    await killed.exited;
    await waitFor("the child to be gone", () => !isAlive(Number(pid)));
  });
});
