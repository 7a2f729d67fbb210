const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const INFINITY = /^[+-]?inf(?:inity)?$/i;
const NAN = /^nan$/i;

/**
 * The number that Go's `strconv.ParseFloat` reads, hexadecimal floats and underscores excepted, as Pushgateway excepts them;
 * undefined for what is no number and for what is too large for a float64.
 */
export function parseGoFloat(text: string): number | undefined {
  if (DECIMAL.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }
  if (INFINITY.test(text)) return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return NAN.test(text) ? Number.NaN : undefined;
}

/**
 * The number as Go prints it with `%v`: the shortest digits that read back the same, with an exponent
 * from 1e+06 on and below 1e-4.
 */
export function formatGoFloat(value: number): string {
  if (Number.isInteger(value) && value < 1e6 && value > -1e6) return Object.is(value, -0) ? "-0" : String(value);
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const magnitude = Math.abs(value);
  if (magnitude >= 1e-4 && magnitude < 1e6) return String(value);
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  const power = exponent.slice(1);
  return `${digits}e${exponent[0]}${power.length < 2 ? `0${power}` : power}`;
}

/** What Go on amd64 makes of a float64 that it converts to uint64, as a float64 again. Negative numbers wrap around. */
export function toGoUint64(value: number): number {
  const whole = Math.trunc(value);
  if (whole >= 0 && whole < 2 ** 64) return Math.abs(whole);
  return whole < 0 && whole >= -(2 ** 63) ? 2 ** 64 + whole : 2 ** 63;
}
