import type { CodePointTest } from "./code-point-class.ts";
import { Re2SyntaxError } from "./re2-scanner.ts";
import type { Assertion, Re2Node } from "./re2-syntax.ts";

/** What a nondeterministic automaton does at one place; numbers are places. */
export type Instruction =
  | { readonly kind: "character"; readonly test: CodePointTest; readonly next: number }
  | { readonly kind: "assertion"; readonly assertion: Assertion; readonly next: number }
  | { readonly kind: "split"; readonly next: readonly number[] }
  | { readonly kind: "match" };

export interface Program {
  readonly instructions: readonly Instruction[];
  readonly start: number;
  readonly hasAssertions: boolean;
}

/** Bounds the memory of a program and the time for one character of a text. */
const MAX_INSTRUCTIONS = 10_000;

/** Throws a Re2SyntaxError when the program would be too large, as by repetitions of repetitions. */
export function compileProgram(root: Re2Node): Program {
  const instructions: Instruction[] = [{ kind: "match" }];
  let visits = 0;

  const add = (instruction: Instruction) => instructions.push(instruction) - 1;

  /** Where to begin in order to match the node and go on at `next`. */
  const compile = (node: Re2Node, next: number): number => {
    // Visits and not instructions, since the repetition of nothing takes time, too.
    visits++;
    if (visits > MAX_INSTRUCTIONS)
      throw new Re2SyntaxError(0, "an expression that is too large, repetitions written out");
    switch (node.kind) {
      case "character":
        return add({ kind: "character", test: node.test, next });
      case "assertion":
        return add({ kind: "assertion", assertion: node.assertion, next });
      case "sequence":
        return node.nodes.reduceRight((after, part) => compile(part, after), next);
      case "choice":
        return add({ kind: "split", next: node.nodes.map((branch) => compile(branch, next)) });
      case "repeat":
        return compileRepeat(node, next);
    }
  };

  const compileRepeat = ({ node, min, max }: Extract<Re2Node, { kind: "repeat" }>, next: number): number => {
    let start = next;
    if (max === Number.POSITIVE_INFINITY) {
      const loop: number[] = [next];
      start = add({ kind: "split", next: loop });
      loop.push(compile(node, start));
    } else {
      for (let i = min; i < max; i++) start = add({ kind: "split", next: [compile(node, start), next] });
    }
    for (let i = 0; i < min; i++) start = compile(node, start);
    return start;
  };

  const start = compile(root, 0);
  return { instructions, start, hasAssertions: instructions.some(({ kind }) => kind === "assertion") };
}
