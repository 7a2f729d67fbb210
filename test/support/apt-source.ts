/** An entry of an apt configuration, ready to be asked for another suite of the same archive. */
export interface DebianSource {
  /** apt tells the two formats apart by the name of the file. */
  readonly fileName: "sources.list" | "sources.sources";
  /** The text of a sources file with this one suite, component main. */
  forSuite(suite: string): string;
}

/**
 * The entry that names Debian's main archive in the text of a sources file, of either format; undefined when the file has
 * none. Options of the entry, such as its keyring, are kept.
 */
export function debianSource(file: string, text: string, codename: string): DebianSource | undefined {
  return file.endsWith(".sources") ? stanzaSource(text, codename) : lineSource(text, codename);
}

/** A paragraph of a .sources file (deb822): whole, since its keyring may be written inline. */
function stanzaSource(text: string, codename: string): DebianSource | undefined {
  const paragraphs = text.replace(/^#.*\n/gm, "").split(/\n[ \t]*\n/);
  const stanza = paragraphs.find(
    (paragraph) =>
      words(paragraph, "Types").includes("deb") &&
      words(paragraph, "Suites").includes(codename) &&
      words(paragraph, "Components").includes("main") &&
      !words(paragraph, "Enabled").includes("no"),
  );
  if (stanza === undefined) return undefined;
  const forSuite = (suite: string) =>
    `${stanza
      .trim()
      .replace(/^Types:.*$/im, "Types: deb")
      .replace(/^Suites:.*$/im, `Suites: ${suite}`)
      .replace(/^Components:.*$/im, "Components: main")}\n`;
  return { fileName: "sources.sources", forSuite };
}

function words(paragraph: string, field: string): readonly string[] {
  const value = new RegExp(`^${field}:(.*)$`, "im").exec(paragraph)?.[1] ?? "";
  return value.trim().split(/\s+/);
}

/** A line `deb [options] uri suite components` of a .list file. */
function lineSource(text: string, codename: string): DebianSource | undefined {
  for (const line of text.split("\n")) {
    const [, options = "", uri, suite, components = ""] =
      /^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line) ?? [];
    if (suite !== codename || !components.split(/\s+/).includes("main")) continue;
    return { fileName: "sources.list", forSuite: (other) => `deb ${options}${uri} ${other} main\n` };
  }
  return undefined;
}
