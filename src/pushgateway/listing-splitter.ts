/** A listing that is not what a Pushgateway answers, or the beginning of one. */
export class ListingFormatError extends Error {
  override readonly name = "ListingFormatError";
}

// Where the scanner is in a JSON text, as the row of MOVES that it reads next.
const PLAIN = 0;
const IN_STRING = 256;
const ESCAPED = 512;

/** For each state and byte: the next state, or that an object or array opens or closes. */
const MOVES = new Uint16Array(3 * 256);
const OPENS = 1_024;
const CLOSES = 1_025;
MOVES[PLAIN + 0x22] = IN_STRING;
for (const bracket of "{[") MOVES[PLAIN + bracket.charCodeAt(0)] = OPENS;
for (const bracket of "}]") MOVES[PLAIN + bracket.charCodeAt(0)] = CLOSES;
MOVES.fill(IN_STRING, IN_STRING, IN_STRING + 256);
MOVES[IN_STRING + 0x22] = PLAIN;
MOVES[IN_STRING + 0x5c] = ESCAPED;
MOVES.fill(IN_STRING, ESCAPED, ESCAPED + 256);

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** The text around the groups is a word or two. */
const MAX_ENVELOPE_CHARACTERS = 65_536;
/** One group may hold 100,000 series, at some 150 bytes each. What is far above that is no group. */
const MAX_GROUP_BYTES = 268_435_456;

const BEFORE_GROUPS = /"data"[ \t\r\n]*:[ \t\r\n]*$/;

/**
 * Takes the JSON of `GET /api/v1/metrics` apart into the text of each group, wherever the pieces in which it comes are cut. It
 * only counts brackets and strings: whether a group is JSON shows when it is parsed. What is around the groups is parsed by
 * `finish`, without which a listing counts for nothing.
 */
export class ListingSplitter {
  #chunk: Buffer = EMPTY;
  #at = 0;
  #state = PLAIN;
  #depth = 0;
  #phase: "envelope" | "first" | "group" | "comma" | "next" | "rest" = "envelope";
  #envelope = "";
  /** Parts of a group that began in earlier chunks. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #spans: number[] = [];

  /** The next piece of the listing, once `next` has found nothing more in the last one. The splitter keeps it for a while. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The text of the next group that is complete: a view of the chunk, or a copy. Throws ListingFormatError. */
  next(): Buffer | undefined {
    while (this.#at < this.#chunk.length) {
      if (this.#phase === "group") return this.#readGroup();
      if (this.#phase === "envelope" || this.#phase === "rest") this.#readEnvelope();
      else this.#readBetween(this.#chunk[this.#at] as number);
    }
    return undefined;
  }

  /**
   * Where the objects among the members of the group begin and end that `next` returned last, by turns. Those of a large group can be
   * parsed one by one.
   */
  get spans(): readonly number[] {
    return this.#spans;
  }

  /** The listing has ended. Throws ListingFormatError unless it was whole. */
  finish(): void {
    if (this.#phase !== "rest") throw new ListingFormatError("its listing ends early");
    const { status, data } = parseObject(this.#envelope);
    if (status !== "success") throw new ListingFormatError(`its listing has the status ${JSON.stringify(status)}`);
    if (!Array.isArray(data) || data.length > 0) throw new ListingFormatError("its listing has no array of groups");
  }

  #readGroup(): Buffer | undefined {
    const start = this.#at;
    if (this.#depth === 0) this.#spans = [];
    const ended = this.#scan(start - this.#partBytes);
    const part = this.#chunk.subarray(start, this.#at);
    if (ended) this.#phase = "comma";
    if (ended && this.#parts.length === 0) return part;
    this.#parts.push(part);
    this.#partBytes += part.length;
    if (this.#partBytes > MAX_GROUP_BYTES) throw new ListingFormatError(`a group exceeds ${MAX_GROUP_BYTES} bytes`);
    if (!ended) return undefined;
    const group = Buffer.concat(this.#parts, this.#partBytes);
    this.#parts = [];
    this.#partBytes = 0;
    return group;
  }

  /** Goes on within a group, which began at a place in this chunk, or before it. Whether the group ends in it. */
  #scan(groupStart: number): boolean {
    const chunk = this.#chunk;
    const spans = this.#spans;
    let at = this.#at;
    let state = this.#state;
    let depth = this.#depth;
    while (at < chunk.length) {
      const move = MOVES[state + (chunk[at++] as number)] as number;
      if (move < OPENS) {
        state = move;
        continue;
      }
      const closes = move - OPENS;
      depth += 1 - 2 * closes;
      if (depth === 0) break;
      // An object opens with the second bracket of a group, and closes when one is left open.
      if (depth === 2 - closes) spans.push(at - 1 + closes - groupStart);
    }
    this.#at = at;
    this.#state = state;
    this.#depth = depth;
    return depth === 0;
  }

  #readBetween(byte: number): void {
    if (BLANKS.has(byte)) this.#at++;
    else if (byte === OPEN_BRACE && this.#phase !== "comma") this.#phase = "group";
    else if (byte === COMMA && this.#phase === "comma") {
      this.#at++;
      this.#phase = "next";
    } else if (byte === CLOSE_BRACKET && this.#phase !== "next") {
      this.#phase = "rest";
      this.#depth = 2;
    } else throw new ListingFormatError(`its listing has ${JSON.stringify(String.fromCharCode(byte))} between groups`);
  }

  /** Reads what is before the groups, or behind them. */
  #readEnvelope(): void {
    const start = this.#at;
    const chunk = this.#chunk;
    while (this.#at < chunk.length) {
      const byte = chunk[this.#at++] as number;
      const move = MOVES[this.#state + byte] as number;
      if (move < OPENS) this.#state = move;
      else this.#depth += move === OPENS ? 1 : -1;
      if (move !== OPENS || byte !== OPEN_BRACKET || this.#depth !== 2 || this.#phase === "rest") continue;
      const before = this.#envelope + chunk.toString("latin1", start, this.#at - 1);
      if (!BEFORE_GROUPS.test(before)) continue;
      this.#phase = "first";
      this.#depth = 0;
      break;
    }
    this.#envelope += chunk.toString("latin1", start, this.#at);
    if (this.#envelope.length > MAX_ENVELOPE_CHARACTERS) throw new ListingFormatError("it is no listing of groups");
  }
}

const EMPTY = Buffer.alloc(0);

/** The object that a JSON text holds. Throws ListingFormatError. */
export function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ListingFormatError(`its listing is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (isObject(value)) return value;
  throw new ListingFormatError("its listing has something else where an object should be");
}

/** Whether a JSON value is an object, and no array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
