import { describe, expect, test } from "bun:test";
import { comparisonRow, withTargetRatio } from "../../bench/bench-row.ts";
import { CpuClock, memoryOf } from "../../bench/process-cost.ts";
import { renderTable } from "../../bench/report.ts";
import { ChildProcess } from "../support/child-process.ts";
import { waitFor } from "../support/wait-for.ts";

describe("comparisonRow()", () => {
  test("gives medians, ranges, and the median of the rounds' own ratios", () => {
    const row = comparisonRow("push", "µs", [10, 40, 12], "peer", [5, 10, 4]);
    expect(row).toMatchObject({ value: 12, range: [10, 40], peerValue: 5, peerRange: [4, 10], ratio: 3 });
  });

  test("takes the middle between the two middle rounds of an even number", () => {
    expect(comparisonRow("push", "µs", [1, 2, 4, 9], "peer", [1, 1, 1, 1])).toMatchObject({ value: 3, ratio: 3 });
  });
});

describe("withTargetRatio()", () => {
  test.each([
    [30, true],
    [30.1, false],
  ])("calls %d beside 20 within 1.5 times the peer: %p", (cost, met) => {
    const row = withTargetRatio(comparisonRow("push", "µs", [cost], "peer", [20]), 1.5);
    expect(row).toMatchObject({ target: "<= 1.5x peer", met });
  });
});

test("renderTable() shows a missed target beside its figures", () => {
  const row = withTargetRatio(comparisonRow("push", "µs", [8, 9.5], "peer", [4, 5]), 1.5);
  const [, line = ""] = renderTable([row]).split("\n");
  expect(line.split(/ {2,}/)).toEqual([
    "push",
    "8.75 µs (8.00–9.50)",
    "peer",
    "4.50 µs (4.00–5.00)",
    "1.95x",
    "<= 1.5x peer",
    "MISSED",
  ]);
});

const TICK_US = 10_000;

/** utime and stime of proc_pid_stat(5). */
async function ticksOf(file: string): Promise<number> {
  const fields = (await Bun.file(file).text()).split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

// Only Linux has a clock for each process.
describe.if(process.platform === "linux")("CpuClock", () => {
  test("counts the time of all threads of another process, as the kernel's own sum does", async () => {
    using clock = new CpuClock();
    const worker = "new Worker(URL.createObjectURL(new Blob(['for (;;);'])))";
    await using busy = new ChildProcess([process.execPath, "-e", `${worker}; setInterval(() => {}, 1000)`]);
    await waitFor("200 ms of CPU time outside the main thread", async () => {
      const ticks = await ticksOf(`/proc/${busy.pid}/task/${busy.pid}/stat`);
      return clock.usedUs(busy.pid) > ticks * TICK_US + 200_000;
    });
    const sumBefore = (await ticksOf(`/proc/${busy.pid}/stat`)) * TICK_US;
    const used = clock.usedUs(busy.pid);
    const sumAfter = (await ticksOf(`/proc/${busy.pid}/stat`)) * TICK_US;
    expect(used).toBeGreaterThanOrEqual(sumBefore);
    // User and kernel mode are rounded down to ticks each.
    expect(used).toBeLessThan(sumAfter + 2 * TICK_US);
  });

  test("names a process that does not exist", () => {
    using clock = new CpuClock();
    expect(() => clock.usedUs(4_194_305)).toThrow('Cannot read the CPU time of process "4194305"');
  });

  test("counts the time of this thread", () => {
    using clock = new CpuClock();
    const before = clock.usedByThreadNs();
    while (clock.usedByThreadNs() - before < 1_000_000);
    expect(clock.usedByThreadNs() - before).toBeGreaterThanOrEqual(1_000_000);
  });
});

test.if(process.platform === "linux")("memoryOf() tells a process's own data from all that it occupies", async () => {
  const { resident, own } = await memoryOf(process.pid);
  expect(own).toBeGreaterThan(1);
  expect(resident).toBeGreaterThan(own);
});
