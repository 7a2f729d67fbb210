export interface CommandOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** The command is killed after so many milliseconds; 60 s when absent. */
  readonly timeoutMs?: number;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const DEFAULT_TIMEOUT_MS = 60_000;

/** Runs a command to its end and returns what it said, whatever its exit code. A command killed at its deadline throws. */
export async function tryCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const child = Bun.spawn([...argv], {
    cwd: options.cwd ?? process.cwd(),
    env: { ...process.env, ...options.env },
    stdin: options.input === undefined ? "ignore" : new Blob([options.input]),
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const exitCode = await child.exited;
  if (child.signalCode !== null) {
    throw new Error(
      `Cannot finish "${argv.join(" ")}": ended by ${child.signalCode} (its deadline is ${timeoutMs} ms)\n${stderr}`,
    );
  }
  return { exitCode, stdout, stderr };
}

/** Runs a command that must succeed and returns its standard output. */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await tryCommand(argv, options);
  if (result.exitCode !== 0) {
    const said = `${result.stdout}\n${result.stderr}`.trim().slice(-4_000);
    throw new Error(`Cannot run "${argv.join(" ")}": exit code ${result.exitCode}\n${said}`);
  }
  return result.stdout;
}
