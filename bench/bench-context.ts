/** What every benchmark gets from the run that it is part of. */
export interface BenchContext {
  /** Ends the run early. */
  readonly signal: AbortSignal;
  /** Tells people what is going on; not part of the results. */
  readonly progress: (text: string) => void;
}
