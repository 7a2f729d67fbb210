import type { FamilyRange } from "../../exposition/family-ranges.ts";
import type { SampleLine } from "../../exposition/sample-line.ts";
import { exposedLabels, exposedName, formatLabels, quotedName } from "../../exposition/text-labels.ts";
import type { ByteString } from "../../sharding/byte-string.ts";
import type { WorkSlices } from "../../work-slices.ts";
import { sortInSlices } from "../cluster/sort-in-slices.ts";
import { OutputPieces } from "../output-pieces.ts";
import { eachSample } from "./each-sample.ts";
import type { MemberText } from "./group-copies.ts";
import {
  type FamilyPart,
  findTypeClashes,
  type SharedFamilies,
  shareFamilies,
  type TypeClash,
} from "./shared-families.ts";

export interface FederationRules {
  /** Whether a series of a text, by its index, is one of a group's copy that counts. */
  readonly counts: (index: number, family: FamilyRange, line: SampleLine) => boolean;
  /** Whether a series was asked for. It has no say in what clashes, so that a family looks the same however it is asked for. */
  readonly isWanted: (line: SampleLine) => boolean;
  /** Whether the reader takes any UTF-8 in names, in quotes. Otherwise underscores take the place of what 0.0.4 does not know. */
  readonly utf8Names: boolean;
}

export interface FederatedText {
  readonly pieces: readonly Buffer[];
  readonly length: number;
  /** Sorted by name. */
  readonly clashes: readonly TypeClash[];
}

/**
 * Puts the expositions of members together to one: families by name, each with one HELP and one TYPE, the samples in the order
 * of the texts and untouched. The first HELP counts. Samples of families that clash are shown as untyped families of their own
 * names, so that nothing is lost and nothing depends on who answered first.
 */
export async function federateTexts(
  texts: readonly MemberText[],
  rules: FederationRules,
  slices: WorkSlices,
): Promise<FederatedText> {
  return await new Federation(texts, rules, slices).run();
}

/** Samples shown under a name of their own. */
interface Untyped {
  readonly help: ByteString | undefined;
  readonly samples: OutputPieces;
}

class Federation {
  readonly #texts: readonly MemberText[];
  readonly #rules: FederationRules;
  readonly #slices: WorkSlices;
  readonly #output = new OutputPieces();

  constructor(texts: readonly MemberText[], rules: FederationRules, slices: WorkSlices) {
    this.#texts = texts;
    this.#rules = rules;
    this.#slices = slices;
  }

  async run(): Promise<FederatedText> {
    const families = await shareFamilies(this.#texts, this.#rules.utf8Names, this.#slices);
    const clashes = await this.#findClashes(families);
    const untyped = await this.#collectUntyped(families, clashes);
    const names = [...families.keys()].filter((name) => !clashes.has(name));
    const shown = new Set([...names, ...untyped.keys()]);
    for (const name of await sortInSlices([...shown], this.#slices)) {
      const clashing = untyped.get(name);
      if (clashing === undefined) await this.#addFamily(name, families.get(name) ?? []);
      else this.#addUntyped(name, clashing);
    }
    const output = this.#output;
    const sorted = [...clashes.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
    return { pieces: output.finish(), length: output.length, clashes: sorted };
  }

  /** Families of which nothing counts do not clash: Pushgateways of different versions say different things of themselves. */
  async #findClashes(families: SharedFamilies): Promise<ReadonlyMap<ByteString, TypeClash>> {
    const candidates = new Map<ByteString, readonly FamilyPart[]>();
    for (const name of (await findTypeClashes(families, this.#slices)).keys()) {
      const counting: FamilyPart[] = [];
      for (const part of families.get(name) ?? []) if (await this.#hasCounting(part)) counting.push(part);
      if (counting.length > 0) candidates.set(name, counting);
    }
    return await findTypeClashes(candidates, this.#slices);
  }

  async #hasCounting(part: FamilyPart): Promise<boolean> {
    return await this.#eachSample(part, (line) => this.#counts(part, line));
  }

  async #collectUntyped(
    families: SharedFamilies,
    clashes: ReadonlyMap<ByteString, TypeClash>,
  ): Promise<ReadonlyMap<ByteString, Untyped>> {
    const untyped = new Map<ByteString, Untyped>();
    for (const part of [...clashes.keys()].sort().flatMap((name) => families.get(name) ?? [])) {
      await this.#eachSample(part, (line, start, end) => {
        if (!this.#isShown(part, line)) return;
        const name = this.#shownName(line.name());
        const family = untyped.get(name) ?? { help: part.range.help, samples: new OutputPieces() };
        untyped.set(name, family);
        this.#addLine(family.samples, part, line, start, end);
      });
    }
    return untyped;
  }

  #addUntyped(name: ByteString, { help, samples }: Untyped): void {
    this.#addHeading(name, help, "untyped");
    for (const piece of samples.finish()) this.#output.addBytes(piece, 0, piece.length);
  }

  async #addFamily(name: ByteString, parts: readonly FamilyPart[]): Promise<void> {
    const help = parts.find(({ range }) => range.help !== undefined)?.range.help;
    let isBegun = false;
    for (const part of parts) {
      await this.#eachSample(part, (line, start, end) => {
        if (!this.#isShown(part, line)) return;
        if (!isBegun) this.#addHeading(name, help, part.range.type);
        isBegun = true;
        this.#addLine(this.#output, part, line, start, end);
      });
    }
  }

  async #eachSample(
    { index, range }: FamilyPart,
    visit: (line: SampleLine, start: number, end: number) => boolean | undefined,
  ): Promise<boolean> {
    return await eachSample(this.#bytesOf(index), range, this.#slices, visit);
  }

  #counts({ index, range }: FamilyPart, line: SampleLine): boolean {
    return this.#rules.counts(index, range, line);
  }

  #isShown(part: FamilyPart, line: SampleLine): boolean {
    return this.#counts(part, line) && this.#rules.isWanted(line);
  }

  #mustRewrite(line: SampleLine): boolean {
    return line.hasQuotedName && !this.#rules.utf8Names;
  }

  #addLine(output: OutputPieces, { index }: FamilyPart, line: SampleLine, start: number, end: number): void {
    if (!this.#mustRewrite(line)) {
      output.addBytes(this.#bytesOf(index), start, end);
      return;
    }
    const labels = line.labels();
    const inBraces = exposedLabels(labels, formatLabels(labels));
    output.addText(exposedName(line.name()) + (inBraces === "" ? "" : `{${inBraces}}`) + line.valueText(end));
  }

  #addHeading(name: ByteString, help: ByteString | undefined, type: ByteString): void {
    const shown = quotedName(name);
    if (help !== undefined) this.#output.addText(`# HELP ${shown} ${help}\n`);
    this.#output.addText(`# TYPE ${shown} ${type}\n`);
  }

  #shownName(name: ByteString): ByteString {
    return this.#rules.utf8Names ? name : exposedName(name);
  }

  #bytesOf(index: number): Buffer {
    return (this.#texts[index] as MemberText).bytes;
  }
}
