import { dlopen, FFIType, ptr } from "bun:ffi";

/**
 * CPU time of whole processes as the kernel accounts for it, to the nanosecond: all threads, also those that have ended, in
 * user and kernel mode. /proc/PID/stat holds the same sum, but in steps of 10 ms. Linux only.
 */
export class CpuClock implements Disposable {
  readonly #time = new BigInt64Array(2);
  readonly #libc = dlopen("libc.so.6", {
    clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  });

  /** Microseconds that a process has used so far. Throws when there is no such process. */
  usedUs(pid: number): number {
    if (!this.#read(processClock(pid))) {
      throw new Error(`Cannot read the CPU time of process "${pid}": there is no such process`);
    }
    return this.#nanoseconds() / 1e3;
  }

  /** Nanoseconds that the calling thread has used so far, without those of JIT and garbage collector. */
  usedByThreadNs(): number {
    this.#read(THREAD_CLOCK);
    return this.#nanoseconds();
  }

  [Symbol.dispose](): void {
    this.#libc.close();
  }

  #read(clock: number): boolean {
    return this.#libc.symbols.clock_gettime(clock, ptr(this.#time)) === 0;
  }

  #nanoseconds(): number {
    const [seconds = 0n, nanoseconds = 0n] = this.#time;
    return Number(seconds) * 1e9 + Number(nanoseconds);
  }
}

/** CLOCK_THREAD_CPUTIME_ID of clock_gettime(2). */
const THREAD_CLOCK = 3;

/** The number that Linux gives to the CPU clock of a process: what clock_getcpuclockid(3) returns. */
function processClock(pid: number): number {
  const scheduled = 2;
  return (~pid << 3) | scheduled;
}

/** What a process occupies of the machine's memory, in MiB. */
export interface Memory {
  /** All of it (VmRSS), with the pages of its program file that it has touched and that the page cache holds anyway. */
  readonly resident: number;
  /** Its own data (RssAnon), which it shares with nobody. */
  readonly own: number;
}

export async function memoryOf(pid: number): Promise<Memory> {
  const status = await Bun.file(`/proc/${pid}/status`).text();
  const mib = (field: string) => {
    const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
    if (kib === undefined) throw new Error(`Cannot read the memory of process "${pid}": no ${field} in its status`);
    return Number(kib) / 1024;
  };
  return { resident: mib("VmRSS"), own: mib("RssAnon") };
}
