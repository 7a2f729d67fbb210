import { suggestion } from "../did-you-mean.ts";

const UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["B", 1],
  ["KB", 1000],
  ["MB", 1000 ** 2],
  ["GB", 1000 ** 3],
  ["KiB", 1024],
  ["MiB", 1024 ** 2],
  ["GiB", 1024 ** 3],
]);

/**
 * Bytes of a size: a whole number, alone or with one of B, KB, MB, GB (powers of 1000) and KiB, MiB, GiB (powers of
 * 1024). Throws a RangeError that says what was expected.
 */
export function parseByteSize(text: string): number {
  const [, amount, unit] = /^(\d{1,15}) ?([A-Za-z]*)$/.exec(text) ?? [];
  const unitBytes = UNITS.get(unit ?? "");
  const size = amount === undefined || unitBytes === undefined ? Number.NaN : Number(amount) * unitBytes;
  if (!Number.isSafeInteger(size)) {
    const hint =
      amount === undefined
        ? ""
        : suggestion(
            text,
            [...UNITS.keys()].map((name) => `${amount}${name}`),
          );
    throw new RangeError(`expected a size in bytes such as 65536, "512KiB" or "2MB", got "${text}"${hint}`);
  }
  return size;
}

/** The size in the largest power of 1024 that divides it: `1MiB`, `1536KiB`, `100`. */
export function formatByteSize(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"]) {
    const unitBytes = UNITS.get(unit) ?? 1;
    if (bytes >= unitBytes && bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`;
  }
  return String(bytes);
}
