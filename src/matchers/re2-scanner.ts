/** A text that is no regular expression of RE2. The offset counts UTF-16 code units. */
export class Re2SyntaxError extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/** A place in a regular expression that moves to its end. */
export class Re2Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get offset(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  get rest(): string {
    return this.#text.slice(this.#at);
  }

  /** The code unit at some distance; empty beyond the end. */
  peek(distance = 0): string {
    return this.#text.charAt(this.#at + distance);
  }

  looksAt(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  take(text: string): boolean {
    if (!this.looksAt(text)) return false;
    this.#at += text.length;
    return true;
  }

  skip(length: number): void {
    this.#at += length;
  }

  /** Everything before `end`, which must come and is skipped. */
  takeUntil(end: string): string {
    const taken = this.#text.slice(this.#at, this.#text.indexOf(end, this.#at));
    this.#at += taken.length + end.length;
    return taken;
  }

  takeCodePoint(): number {
    const codePoint = this.#text.codePointAt(this.#at) ?? 0;
    this.#at += codePoint > 0xffff ? 2 : 1;
    return codePoint;
  }

  fail(message: string, offset = this.#at): never {
    throw new Re2SyntaxError(offset, message);
  }
}
