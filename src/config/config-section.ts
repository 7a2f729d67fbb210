import { isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from "yaml";
import { parseChoice } from "../choice.ts";
import { suggestion } from "../did-you-mean.ts";
import { formatByteSize, parseByteSize } from "./byte-size.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { scalarText, type YamlFile } from "./yaml-file.ts";

/** What a number may be; a value outside is a problem that names the bound. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
  /** The key that sets `max`, when that is not a constant. */
  readonly maxKey?: string;
}

/** How numbers of one kind are written. */
interface Notation {
  readonly parse: (text: string) => number;
  readonly format: (value: number) => string;
}

const INTEGER: Notation = { parse: parseInteger, format: String };
const DURATION: Notation = { parse: parseDuration, format: formatDuration };
const SIZE: Notation = { parse: parseByteSize, format: formatByteSize };

/**
 * One mapping of a configuration file, read key by key into typed values. Every mistake is noted with its position and
 * replaced by some permitted value, so that reading goes on and all mistakes are found at once; what is read is
 * worthless once the file has problems. A key without a value counts as absent.
 */
export class ConfigSection {
  readonly #file: YamlFile;
  readonly #path: string;
  readonly #node: Node | undefined;
  readonly #pairs = new Map<string, Pair>();
  readonly #knownKeys = new Set<string>();

  private constructor(file: YamlFile, path: string, node: YAMLMap | undefined) {
    this.#file = file;
    this.#path = path;
    this.#node = node;
    for (const pair of node?.items ?? []) this.#addPair(pair);
  }

  /** Reads the whole file. Keys that `read` does not ask for are problems. */
  static readFile<T>(file: YamlFile, read: (section: ConfigSection) => T): T {
    return ConfigSection.#read(file, "", file.root, read);
  }

  static #read<T>(file: YamlFile, path: string, node: YAMLMap | undefined, read: (section: ConfigSection) => T): T {
    const section = new ConfigSection(file, path, node);
    const value = read(section);
    section.#reportUnknownKeys();
    return value;
  }

  /** Whether `key` has a value, be it good or bad. */
  has(key: string): boolean {
    return this.#valueOf(key) !== undefined;
  }

  /** A mapping under `key`; `read` gets an empty section when it is absent. */
  section<T>(key: string, read: (section: ConfigSection) => T): T {
    return ConfigSection.#read(this.#file, this.#pathOf(key), this.#mapping(key), read);
  }

  /** A mapping under `key`; undefined when it is absent. */
  optionalSection<T>(key: string, read: (section: ConfigSection) => T): T | undefined {
    const node = this.#mapping(key);
    return node === undefined ? undefined : ConfigSection.#read(this.#file, this.#pathOf(key), node, read);
  }

  /** Whatever `parse` makes of the text; a RangeError it throws becomes the problem. */
  value<T>(key: string, parse: (text: string) => T): T | undefined {
    const node = this.#valueOf(key);
    return node === undefined ? undefined : this.#parse(this.#pathOf(key), node, parse);
  }

  text(key: string): string | undefined {
    return this.value(key, (text) => text);
  }

  boolean(key: string, defaultValue: boolean): boolean {
    return this.value(key, parseBoolean) ?? defaultValue;
  }

  integer(key: string, defaultValue: number, bounds: Bounds): number {
    return this.#number(key, INTEGER, bounds) ?? defaultValue;
  }

  duration(key: string, defaultMs: number, bounds: Bounds): number {
    return this.#number(key, DURATION, bounds) ?? defaultMs;
  }

  optionalDuration(key: string, bounds: Bounds): number | undefined {
    return this.#number(key, DURATION, bounds);
  }

  size(key: string, defaultBytes: number, bounds: Bounds): number {
    return this.#number(key, SIZE, bounds) ?? defaultBytes;
  }

  choice<T extends string>(key: string, choices: readonly T[], defaultValue: T): T {
    return this.optionalChoice(key, choices) ?? defaultValue;
  }

  optionalChoice<T extends string>(key: string, choices: readonly T[]): T | undefined {
    return this.value(key, (text) => parseChoice(text, choices));
  }

  /**
   * One entry for each item, in the order of the file; undefined where `parse` could not read it, which is a problem. An
   * absent list is empty; undefined stands for a value that is no list, which is a problem, too.
   */
  list<T>(key: string, parse: (text: string) => T): readonly (T | undefined)[] | undefined {
    const node = this.#valueOf(key);
    if (node === undefined) return [];
    if (!isSeq(node)) {
      this.problem(key, `expected a list, got ${describeNode(node)}`);
      return undefined;
    }
    return node.items.map((item, index) =>
      this.#parse(`${this.#pathOf(key)}[${index}]`, this.#file.resolve(item) ?? node, parse),
    );
  }

  /** One entry for each mapping of the list under `key`, in the order of the file. An absent list is empty. */
  sections<T>(key: string, read: (section: ConfigSection) => T): readonly T[] {
    const list = this.#valueOf(key);
    if (list !== undefined && !isSeq(list)) this.problem(key, `expected a list, got ${describeNode(list)}`);
    const items = isSeq(list) ? list.items.map((item) => this.#file.resolve(item)) : [];
    return items.flatMap((item, index) => {
      if (isMap(item)) return [ConfigSection.#read(this.#file, `${this.#pathOf(key)}[${index}]`, item, read)];
      this.problem(key, `expected a mapping of keys to values, got ${describeNode(item)}`, index);
      return [];
    });
  }

  /** Notes a problem with `key`, or with one item of its list. */
  problem(key: string, message: string, index?: number): void {
    const pair = this.#pairs.get(key);
    const value = this.#file.resolve(pair?.value);
    const item = index !== undefined && isSeq(value) ? value.items[index] : undefined;
    const node = (item ?? (this.has(key) ? pair?.value : pair?.key) ?? this.#node) as Node | undefined;
    this.#file.addProblem(node?.range?.[0], this.#pathOf(key) + (index === undefined ? "" : `[${index}]`), message);
  }

  #number(key: string, notation: Notation, bounds: Bounds): number | undefined {
    if (!this.has(key)) return undefined;
    // A mistake counts as the largest value, so that a key bounded by this one is not blamed for it.
    return this.value(key, (text) => checkBounds(notation.parse(text), bounds, notation)) ?? bounds.max;
  }

  #parse<T>(path: string, node: unknown, parse: (text: string) => T): T | undefined {
    const text = scalarText(node);
    try {
      if (text === undefined) throw new RangeError(`expected a value, got ${describeNode(node)}${quotesHint(node)}`);
      return parse(text);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#file.addProblem((node as Node).range?.[0], path, error.message);
      return undefined;
    }
  }

  #mapping(key: string): YAMLMap | undefined {
    const node = this.#valueOf(key);
    if (node === undefined || isMap(node)) return node;
    this.problem(key, `expected a mapping of keys to values, got ${describeNode(node)}`);
    return undefined;
  }

  /** The node under `key`, aliases resolved; undefined when there is no value. */
  #valueOf(key: string): unknown {
    this.#knownKeys.add(key);
    const node = this.#file.resolve(this.#pairs.get(key)?.value);
    const isAbsent = node === null || node === undefined || (isScalar(node) && scalarText(node) === undefined);
    return isAbsent ? undefined : node;
  }

  #addPair(pair: Pair): void {
    const key = scalarText(pair.key);
    const position = pair.key as Node;
    if (key === undefined) {
      this.#file.addProblem(position.range?.[0], this.#path, "expected a key, got something that is not a plain text");
      return;
    }
    const first = this.#pairs.get(key)?.key as Node | undefined;
    if (first === undefined) {
      this.#pairs.set(key, pair);
      return;
    }
    const line = this.#file.lineOf(first);
    this.#file.addProblem(position.range?.[0], this.#pathOf(key), `the key is already set in line ${line}; remove one`);
  }

  #reportUnknownKeys(): void {
    for (const [key, pair] of this.#pairs) {
      if (this.#knownKeys.has(key)) continue;
      const hint =
        suggestion(key, this.#knownKeys) || `; expected one of ${[...this.#knownKeys].toSorted().join(", ")}`;
      this.#file.addProblem((pair.key as Node).range?.[0], this.#pathOf(key), `unknown key${hint}`);
    }
  }

  #pathOf(key: string): string {
    return this.#path === "" ? key : `${this.#path}.${key}`;
  }
}

function parseBoolean(text: string): boolean {
  if (text !== "true" && text !== "false") throw new RangeError(`expected true or false, got "${text}"`);
  return text === "true";
}

function parseInteger(text: string): number {
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw new RangeError(`expected a whole number, got "${text}"`);
  return value;
}

function checkBounds(value: number, { min, max, maxKey }: Bounds, { format }: Notation): number {
  if (value < min) throw new RangeError(`expected at least ${format(min)}, got ${format(value)}`);
  const source = maxKey === undefined ? "" : ` (${maxKey})`;
  if (value > max) throw new RangeError(`expected at most ${format(max)}${source}, got ${format(value)}`);
  return value;
}

/** A selector such as `{job="a"}` is a mapping to YAML. */
function quotesHint(node: unknown): string {
  return isMap(node) && node.flow === true ? "; put quotes around a value that begins with {" : "";
}

function describeNode(node: unknown): string {
  if (isMap(node)) return "a mapping";
  if (isSeq(node)) return "a list";
  return scalarText(node) === undefined ? "nothing" : `"${scalarText(node)}"`;
}
