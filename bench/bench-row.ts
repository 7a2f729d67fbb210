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
