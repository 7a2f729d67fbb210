const MS = 1;
const SECOND = 1000 * MS;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Prometheus' units, longest first: the order in which a duration must name them. */
const UNITS = [
  ["y", 365 * DAY],
  ["w", 7 * DAY],
  ["d", DAY],
  ["h", HOUR],
  ["m", MINUTE],
  ["s", SECOND],
  ["ms", MS],
] as const;

const PATTERN = new RegExp(`^${UNITS.map(([unit]) => `(?:(\\d{1,9})${unit})?`).join("")}$`);

/**
 * Milliseconds of a duration in Prometheus' syntax: whole numbers with the units y, w, d, h, m, s and ms, each at most
 * once and the longest first (`1m30s`), or `0`. Throws a RangeError that says what was expected.
 */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  const amounts = text === "" ? null : PATTERN.exec(text);
  if (amounts === null) throw new RangeError(`expected a duration such as "5s", "1m30s" or "250ms", got "${text}"`);
  return UNITS.reduce((sum, [, unitMs], index) => sum + Number(amounts[index + 1] ?? 0) * unitMs, 0);
}

/** The shortest form that parseDuration() reads back as the same number of milliseconds. */
export function formatDuration(durationMs: number): string {
  let rest = durationMs;
  let text = "";
  for (const [unit, unitMs] of UNITS) {
    const amount = Math.floor(rest / unitMs);
    // Weeks and years would be exact but unreadable: nobody thinks of 100 days as 14w2d.
    if (amount === 0 || unitMs > DAY) continue;
    text += `${amount}${unit}`;
    rest -= amount * unitMs;
  }
  return text === "" ? "0" : text;
}
