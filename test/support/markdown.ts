/** The text under a heading, up to the next heading of its level or above. Throws where there is no such heading. */
export function chapterOf(markdown: string, heading: string): string {
  const lines = withoutCode(markdown).split("\n");
  const start = lines.indexOf(heading);
  if (start === -1) throw new Error(`Cannot find the heading "${heading}"`);
  const level = heading.indexOf(" ");
  const length = lines.slice(start + 1).findIndex((line) => /^#+ /.test(line) && line.indexOf(" ") <= level);
  const end = length === -1 ? lines.length : start + 1 + length;
  return markdown
    .split("\n")
    .slice(start + 1, end)
    .join("\n");
}

/** The contents of the fenced code blocks in a language, in order, those within lists included. */
export function codeBlocks(markdown: string, language: string): readonly string[] {
  return [...markdown.matchAll(/^( *)```(\w+)\n([\s\S]*?)^\1```$/gm)].flatMap(([, indent = "", name, code = ""]) =>
    name === language ? [code.replaceAll(new RegExp(`^${indent}`, "gm"), "")] : [],
  );
}

/** The cells of all table rows but headings. A pipe within a cell is not understood. */
export function tableRows(markdown: string): readonly (readonly string[])[] {
  const rows = markdown.split("\n").map((line) =>
    line.startsWith("|")
      ? line
          .split("|")
          .slice(1, -1)
          .map((cell) => cell.trim())
      : undefined,
  );
  return rows.flatMap((row, index) => {
    const isHeading = rows[index + 1]?.every((cell) => /^-+$/.test(cell));
    return row === undefined || isHeading || row.every((cell) => /^-+$/.test(cell)) ? [] : [row];
  });
}

/** The targets of all links, anchors included. */
export function linksOf(markdown: string): readonly string[] {
  return [...withoutCode(markdown).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target = ""]) => target);
}

/** The anchors of all headings, as GitHub makes them. */
export function anchorsOf(markdown: string): readonly string[] {
  return [...withoutCode(markdown).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Code may hold what looks like a heading or a link. Line breaks stay, so that lines keep their numbers. */
function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^```[\s\S]*?^```$/gm, (code) => code.replaceAll(/[^\n]/g, ""));
}
