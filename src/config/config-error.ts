/** One thing that is wrong with a configuration file. */
export interface ConfigProblem {
  readonly file: string;
  /** Counted from 1; 0 when the problem is the file as a whole. */
  readonly line: number;
  /** Counted from 1, in UTF-16 code units; 0 when the problem is the file as a whole. */
  readonly column: number;
  /** Dotted path such as `limits.max_body_bytes` or `pushgateway.servers[2]`; empty for the file as a whole. */
  readonly key: string;
  /** What is wrong, what was expected, and the remedy where there is one. Holds no secret. */
  readonly message: string;
}

/** A configuration that cannot be used. Carries every problem of the file, in the order in which they stand there. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** `file:line:column: key: message`, without the parts that the problem does not have. */
export function formatProblem(problem: ConfigProblem): string {
  const position = problem.line === 0 ? "" : `:${problem.line}:${problem.column}`;
  const key = problem.key === "" ? "" : `${problem.key}: `;
  return `${problem.file}${position}: ${key}${problem.message}`;
}
