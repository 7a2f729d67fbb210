import type { SyntaxNode } from "@lezer/common";
import { type ByteString, isValidUtf8 } from "../sharding/byte-string.ts";
import { createMatcher, type Matcher, type MatchOperator, METRIC_NAME } from "./matcher.ts";
import { promqlParser } from "./promql-grammar.ts";
import { Re2SyntaxError } from "./re2-syntax-error.ts";
import { SelectorError } from "./selector-error.ts";
import { LiteralError, readStringLiteral } from "./string-literal.ts";

const EXPECTED_SELECTOR = 'expected a series selector such as up{job="a"} or {job=~"spark-.*"}';

/** What is missing where the grammar gives up, by the node in which it does. */
const EXPECTED: ReadonlyMap<string, string> = new Map([
  ["LabelMatchers", 'expected a matcher such as job="a", a comma or "}"'],
  ["MatchOp", "expected one of =, !=, =~, !~"],
  ["UnquotedLabelMatcher", "expected one of =, !=, =~, !~ and a value in quotes"],
  ["QuotedLabelMatcher", "expected one of =, !=, =~, !~ and a value in quotes"],
]);

/** A matcher, where it stands, and whether it is a name without more: `up{...}` or `{"up"}`. */
interface Placed {
  readonly matcher: Matcher;
  readonly offset: number;
  readonly isBareName: boolean;
}

/** The matchers of a series selector, that of its name included. Throws a SelectorError. */
export function readMatchers(text: string): readonly Matcher[] {
  const root = promqlParser().parse(text).topNode;
  const [selector] = root.getChildren("VectorSelector");
  const other = childrenOf(root).find(({ name }) => name !== "VectorSelector" && name !== "LineComment");
  if (selector === undefined || other !== undefined) {
    const offset = descendantsOf(root).find(({ type }) => type.isError)?.from ?? other?.from ?? 0;
    throw new SelectorError(text, offset, `${EXPECTED_SELECTOR}, got ${describe(text, offset)}`);
  }
  const nodes = descendantsOf(selector);
  // The grammar lets a string end with the text, and then wonders about what is missing after it.
  for (const node of nodes) if (node.name === "StringLiteral") readString(text, node);
  const error = nodes.find(({ type }) => type.isError);
  if (error !== undefined) {
    const expected = EXPECTED.get(error.parent?.name ?? "") ?? EXPECTED_SELECTOR;
    throw new SelectorError(text, error.from, `${expected}, got ${describe(text, error.from)}`);
  }
  const placed = [selector, ...selector.getChildren("LabelMatchers")]
    .flatMap(childrenOf)
    .filter(({ name }) => name !== "LabelMatchers" && name !== "LineComment")
    .map((node) => readMatcher(text, node));
  refuseSecondName(text, placed);
  return placed.map(({ matcher }) => matcher);
}

function readMatcher(text: string, node: SyntaxNode): Placed {
  const offset = node.from;
  switch (node.name) {
    case "Identifier":
      return { matcher: createMatcher(METRIC_NAME, "=", text.slice(node.from, node.to)), offset, isBareName: true };
    case "QuotedLabelName":
      return { matcher: createMatcher(METRIC_NAME, "=", readName(text, node)), offset, isBareName: true };
    default: {
      const [name, operator, value] = childrenOf(node).filter((child) => child.name !== "LineComment");
      if (name === undefined || operator === undefined || value === undefined) {
        throw new SelectorError(text, offset, EXPECTED_SELECTOR);
      }
      return { matcher: readLabelMatcher(text, name, operator, value), offset, isBareName: false };
    }
  }
}

function readLabelMatcher(text: string, nameNode: SyntaxNode, operatorNode: SyntaxNode, value: SyntaxNode): Matcher {
  const name = nameNode.name === "LabelName" ? text.slice(nameNode.from, nameNode.to) : readName(text, nameNode);
  const operator = text.slice(operatorNode.from, operatorNode.to) as MatchOperator;
  const operand = readString(text, value);
  try {
    return createMatcher(name, operator, operand);
  } catch (error) {
    if (!(error instanceof Re2SyntaxError)) throw error;
    // The place within the expression would be that within the text only where nothing is escaped.
    const where = error.offset === undefined ? "" : ` (character ${error.offset + 1} of the expression)`;
    throw new SelectorError(text, value.from, `expected a regular expression of RE2, got ${error.message}${where}`);
  }
}

function readName(text: string, node: SyntaxNode): ByteString {
  const name = readString(text, node);
  if (name === "" || !isValidUtf8(name)) {
    throw new SelectorError(text, node.from, "expected a name of at least one character, in UTF-8");
  }
  return name;
}

function readString(text: string, node: SyntaxNode): ByteString {
  try {
    return readStringLiteral(text.slice(node.from, node.to));
  } catch (error) {
    if (!(error instanceof LiteralError)) throw error;
    throw new SelectorError(text, node.from + error.offset, error.message);
  }
}

/** As Prometheus, lest `up{__name__="down"}` be read as one or the other. */
function refuseSecondName(text: string, placed: readonly Placed[]): void {
  const named = placed.filter(({ matcher }) => matcher.name === METRIC_NAME);
  const second = named[1];
  if (second !== undefined && named.some(({ isBareName }) => isBareName)) {
    throw new SelectorError(text, second.offset, "expected one metric name, got a second one");
  }
}

/** In the order of the text. */
function descendantsOf(root: SyntaxNode): readonly SyntaxNode[] {
  const nodes: SyntaxNode[] = [];
  root.cursor().iterate(({ node }) => void nodes.push(node));
  return nodes;
}

function childrenOf(node: SyntaxNode): readonly SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) children.push(child);
  return children;
}

/** What stands at a place, in words for a message. */
function describe(text: string, offset: number): string {
  const [word] = /^(?:\w+|\S)/u.exec(text.slice(offset, offset + 40).trimStart()) ?? [];
  return word === undefined ? "the end" : `"${word}"`;
}
