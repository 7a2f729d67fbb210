/** A text that is no regular expression of RE2, or too large a one. */
export class Re2SyntaxError extends Error {
  /** Where in the expression, counted from 0 in UTF-16 code units; undefined when it concerns the whole, or is not known. */
  readonly offset: number | undefined;

  constructor(message: string, offset?: number) {
    super(message);
    this.offset = offset;
  }
}
