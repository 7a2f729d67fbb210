/** Milliseconds in each unit that Go's time.ParseDuration knows. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const AMOUNT = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
const DURATION = new RegExp(`^(?:${AMOUNT.source})+$`);

/**
 * Milliseconds of a duration as Go programs take it in their flags: `5m`, `1h30m`, `1.5s`, `0`. Throws a RangeError that says
 * what was expected.
 */
export function parseGoDuration(text: string): number {
  if (text === "0") return 0;
  if (!DURATION.test(text)) throw new RangeError(`expected a duration such as "5m", "1h30m" or "1.5s", got "${text}"`);
  let durationMs = 0;
  for (const [, amount, unit = ""] of text.matchAll(AMOUNT)) durationMs += Number(amount) * (UNITS[unit] ?? 0);
  return durationMs;
}

/** A duration of at least a second, or none, as Go prints it: `5m0s`. */
export function formatGoDuration(durationMs: number): string {
  const seconds = durationMs / 1_000;
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = `${Number((seconds % 60).toFixed(9))}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
