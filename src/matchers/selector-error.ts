/** Longer texts are cut in messages. */
const SHOWN_LENGTH = 200;

/**
 * A text that is no selector, or one that selects by mistake. The message says what was expected, and where. A RangeError,
 * as readers of configuration values and of flags throw.
 */
export class SelectorError extends RangeError {
  override readonly name = "SelectorError";
  /** Where in the text, counted from 0 in UTF-16 code units. */
  readonly offset: number;

  constructor(text: string, offset: number, message: string) {
    super(`Cannot read the selector ${shorten(text)} at character ${offset + 1}: ${message}`);
    this.offset = offset;
  }
}

/** On one line, as messages are. */
function shorten(spaced: string): string {
  const text = spaced.replaceAll(/\s+/g, " ");
  return text.length <= SHOWN_LENGTH ? text : `${text.slice(0, SHOWN_LENGTH)}…`;
}
