/** One figure, and where there is one, a peer's from the same run. */
export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Lowest and highest of the rounds that `value` is the median of. */
  readonly range?: readonly [number, number];
  readonly peer?: string;
  readonly peerValue?: number;
  readonly peerRange?: readonly [number, number];
  /** `value` over `peerValue`; of rounds, the median of their ratios. */
  readonly ratio?: number;
  /** What is aimed at, for people. */
  readonly target?: string;
  readonly met?: boolean;
}

/** One figure of each round of a measurement. */
export type Samples = readonly number[];

/**
 * Medians beside a peer's from the same rounds. The ratio is the median of the rounds' own ratios, so that a round in which
 * the machine was busy counts little.
 */
export function comparisonRow(name: string, unit: string, ours: Samples, peer: string, theirs: Samples): BenchRow {
  return {
    name,
    value: median(ours),
    unit,
    range: rangeOf(ours),
    peer,
    peerValue: median(theirs),
    peerRange: rangeOf(theirs),
    ratio: median(ours.map((sample, round) => sample / (theirs[round] ?? Number.NaN))),
  };
}

/** Adds the target to be at most `highest` times the peer. */
export function withTargetRatio(row: BenchRow, highest: number): BenchRow {
  return { ...row, target: `<= ${highest}x ${row.peer}`, met: row.ratio !== undefined && row.ratio <= highest };
}

function median(samples: Samples): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const last = sorted.length - 1;
  return (at(Math.floor(last / 2)) + at(Math.ceil(last / 2))) / 2;
}

function rangeOf(samples: Samples): readonly [number, number] {
  return [Math.min(...samples), Math.max(...samples)];
}
