import { dlopen, FFIType, ptr } from "bun:ffi";

/**
 * CPU time of whole processes as the kernel accounts for it, to the nanosecond: all threads, also those that have ended, in
 * user and kernel mode. /proc/PID/stat holds the same sum, but in steps of 10 ms. Linux only.
 */
export class CpuClock implements Disposable {
  readonly #libc = dlopen("libc.so.6", {
    clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  });

  /** Microseconds used so far. Throws when there is no such process. */
  usedUs(pid: number): number {
    const time = new BigInt64Array(2);
    if (this.#libc.symbols.clock_gettime(processClock(pid), ptr(time)) !== 0) {
      throw new Error(`Cannot read the CPU time of process "${pid}": there is no such process`);
    }
    const [seconds = 0n, nanoseconds = 0n] = time;
    return Number(seconds) * 1e6 + Number(nanoseconds) / 1e3;
  }

  [Symbol.dispose](): void {
    this.#libc.close();
  }
}

/** The number that Linux gives to the CPU clock of a process: what clock_getcpuclockid(3) returns. */
function processClock(pid: number): number {
  const scheduled = 2;
  return (~pid << 3) | scheduled;
}

/** Memory that the process occupies now (VmRSS), in MiB. */
export async function residentMib(pid: number): Promise<number> {
  const status = await Bun.file(`/proc/${pid}/status`).text();
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kib === undefined) throw new Error(`Cannot read the memory of process "${pid}": no VmRSS in its status`);
  return Number(kib) / 1024;
}
