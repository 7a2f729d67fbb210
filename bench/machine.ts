import { cpus, loadavg } from "node:os";

/** What figures depend on besides the programs. */
export interface Machine {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly bun: string;
}

/** Share of all cores' time that others took while this process slept, 0 to 1, and the load average over a minute. */
export interface Busyness {
  readonly share: number;
  readonly load: number;
}

const SAMPLE_MS = 500;

export function describeMachine(): Machine {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    processor: processors[0]?.model ?? "unknown",
    cores: processors.length,
    bun: Bun.version,
  };
}

/** Call it while no benchmark runs. */
export async function measureBusyness(): Promise<Busyness> {
  const before = totalTimes();
  await Bun.sleep(SAMPLE_MS);
  const after = totalTimes();
  const elapsed = after.all - before.all;
  return { share: elapsed === 0 ? 0 : 1 - (after.idle - before.idle) / elapsed, load: loadavg()[0] ?? Number.NaN };
}

function totalTimes(): { idle: number; all: number } {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.idle + times.user + times.nice + times.sys + times.irq;
  }
  return { idle, all };
}
