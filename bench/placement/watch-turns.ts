/**
 * Preloaded into a router: on SIGUSR2 writes to the file that TURNS_FILE names the most processor time, in milliseconds, that has passed on
 * the main thread since the last time before a timer got its turn. So long a push waits at the worst, on a machine that is
 * not busy with other things.
 */
import { writeFileSync } from "node:fs";
import { CpuClock } from "../process-cost.ts";

const { TURNS_FILE = "" } = process.env;
const clock = new CpuClock();
let longestNs = 0;
let turnStart = clock.usedByThreadNs();

setInterval(() => {
  const now = clock.usedByThreadNs();
  longestNs = Math.max(longestNs, now - turnStart);
  turnStart = now;
}, 1);

process.on("SIGUSR2", () => {
  writeFileSync(TURNS_FILE, `${longestNs / 1e6}\n`);
  longestNs = 0;
});
