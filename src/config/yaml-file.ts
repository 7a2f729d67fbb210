import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLMap,
} from "yaml";
import type { ConfigProblem } from "./config-error.ts";

const UNKNOWN_ALIAS = "unknown alias; put quotes around a value that begins with *";

/** A parsed YAML file that knows where each of its nodes stands, and collects what is wrong with them. */
export class YamlFile {
  readonly name: string;
  readonly #lines = new LineCounter();
  readonly #document: Document;
  readonly #problems: ConfigProblem[] = [];

  constructor(name: string, text: string) {
    this.name = name;
    // Doubled keys are left to the reader of the mapping: it can name the key and both lines, and carry on.
    this.#document = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: false, prettyErrors: false });
    for (const { code, message, pos } of [...this.#document.errors, ...this.#document.warnings]) {
      this.addProblem(pos[0], "", describeSyntaxError(code, message));
    }
    const { contents } = this.#document;
    if (!isMap(contents) && !isEmpty(contents)) {
      this.addProblem(contents?.range?.[0], "", "expected a mapping of keys to values");
    }
    visit(this.#document, {
      Alias: (_, alias) => {
        if (this.resolve(alias) === undefined) this.addProblem(alias.range?.[0], "", UNKNOWN_ALIAS);
      },
    });
  }

  /** In the order of the file. After a syntax error the tree is guesswork: read no further when this is not empty. */
  get problems(): readonly ConfigProblem[] {
    return this.#problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }

  /** The mapping that the file consists of; undefined when it is empty. */
  get root(): YAMLMap | undefined {
    return isMap(this.#document.contents) ? this.#document.contents : undefined;
  }

  /** The node itself, or what an alias such as `*defaults` stands for. */
  resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  /** The texts of all scalars whose key ends in `suffix`, wherever they stand. */
  textsByKeySuffix(suffix: string): ReadonlySet<string> {
    const texts = new Set<string>();
    visit(this.#document, {
      Pair: (_, { key, value }) => {
        const text = isScalar(key) && String(key.value).endsWith(suffix) ? scalarText(this.resolve(value)) : undefined;
        if (text !== undefined) texts.add(text);
      },
    });
    return texts;
  }

  lineOf(node: Node): number {
    return this.#lines.linePos(node.range?.[0] ?? 0).line;
  }

  /** `offset` undefined: the file as a whole. */
  addProblem(offset: number | undefined, key: string, message: string): void {
    const { line, col } = offset === undefined ? { line: 0, col: 0 } : this.#lines.linePos(offset);
    this.#problems.push({ file: this.name, line, column: col, key, message });
  }
}

/** Without the words of the file that the library quotes, as they may be those of a secret that was not quoted. */
function describeSyntaxError(code: ErrorCode, message: string): string {
  switch (code) {
    case "MULTIPLE_DOCS":
      return "expected a single YAML document";
    case "TAG_RESOLVE_FAILED":
      return "unknown tag; put quotes around a value that begins with !";
    default:
      return message.replace(/(characters|stream|document): .*$/s, "$1");
  }
}

function isEmpty(contents: unknown): boolean {
  return contents === null || (isScalar(contents) && contents.value === null);
}

/**
 * The text of a scalar as it is written, so that a password `0123` keeps its zero and quotes make no difference;
 * undefined for null, an empty text and anything that is not a scalar.
 */
export function scalarText(node: unknown): string | undefined {
  if (!isScalar(node) || node.value === null || node.value === "") return undefined;
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
}
