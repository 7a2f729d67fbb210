import { compileProgram, type Instruction, type Program } from "./re2-program.ts";
import { type Assertion, parseRe2 } from "./re2-syntax.ts";

/** What stands on one side of a place in the text; assertions ask for nothing more. */
type Side = "edge" | "line-break" | "word" | "other";

/** The instructions that may be next, all at once, and what has been read before them. */
interface State {
  readonly places: readonly number[];
  readonly before: Side;
  readonly transitions: Map<number, State>;
}

/** What the states of one expression may hold together, in numbers; beyond it they are made anew. */
const MAX_CACHED = 50_000;

/**
 * Compiles a regular expression of RE2; the function tells whether it matches the whole text. All alternatives are followed at
 * the same time, so that a text takes time in proportion to its length, whatever the expression. Throws a Re2SyntaxError.
 */
export function compileRe2(pattern: string): (text: string) => boolean {
  const automaton = new Automaton(compileProgram(parseRe2(pattern)));
  return (text) => automaton.matches(text);
}

/** A deterministic automaton that is made as texts come along: RE2's way. */
class Automaton {
  readonly #program: Program;
  readonly #states = new Map<string, State>();
  #cached = 0;

  constructor(program: Program) {
    this.#program = program;
  }

  matches(text: string): boolean {
    let state = this.#stateOf([this.#program.start], "edge");
    for (const character of text) {
      state = this.#step(state, character.codePointAt(0) ?? 0);
      if (state.places.length === 0) return false;
    }
    return this.#reachable(state, "edge").some(({ kind }) => kind === "match");
  }

  #step(state: State, codePoint: number): State {
    const known = state.transitions.get(codePoint);
    if (known !== undefined) return known;
    if (this.#cached > MAX_CACHED) this.#forget();
    const places = new Set<number>();
    for (const instruction of this.#reachable(state, sideOf(codePoint))) {
      if (instruction.kind === "character" && instruction.test(codePoint)) places.add(instruction.next);
    }
    const next = this.#stateOf(
      [...places].toSorted((a, b) => a - b),
      sideOf(codePoint),
    );
    state.transitions.set(codePoint, next);
    this.#cached++;
    return next;
  }

  #stateOf(places: readonly number[], side: Side): State {
    const before = this.#program.hasAssertions ? side : "other";
    const key = `${before} ${places.join(" ")}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const state: State = { places, before, transitions: new Map() };
    this.#states.set(key, state);
    this.#cached += 1 + places.length;
    return state;
  }

  #forget(): void {
    for (const { transitions } of this.#states.values()) transitions.clear();
    this.#states.clear();
    this.#cached = 0;
  }

  /** The instructions that are reached from a state without reading anything. */
  #reachable({ places, before }: State, after: Side): readonly Instruction[] {
    const { instructions } = this.#program;
    const seen = new Set(places);
    const reached: Instruction[] = [];
    // A set yields what is added to it while it is walked through.
    for (const place of seen) {
      const instruction = instructions[place];
      if (instruction?.kind === "split") for (const next of instruction.next) seen.add(next);
      else if (instruction?.kind !== "assertion") reached.push(instruction as Instruction);
      else if (holds(instruction.assertion, before, after)) seen.add(instruction.next);
    }
    return reached;
  }
}

function holds(assertion: Assertion, before: Side, after: Side): boolean {
  switch (assertion) {
    case "begin-text":
      return before === "edge";
    case "end-text":
      return after === "edge";
    case "begin-line":
      return before === "edge" || before === "line-break";
    case "end-line":
      return after === "edge" || after === "line-break";
    case "word-boundary":
      return (before === "word") !== (after === "word");
    case "no-word-boundary":
      return (before === "word") === (after === "word");
  }
}

function sideOf(codePoint: number): Side {
  if (codePoint === 10) return "line-break";
  return codePoint < 0x80 && /\w/.test(String.fromCharCode(codePoint)) ? "word" : "other";
}
