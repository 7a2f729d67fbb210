export type GroupLabels = Readonly<Record<string, string>>;

const PLAIN_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The labels of a group as a selector that --match takes, the job first. */
export function formatGroup({ job = "", ...labels }: GroupLabels): string {
  const others = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${[["job", job], ...others].map(([name = "", value = ""]) => `${formatName(name)}=${quote(value)}`).join(",")}}`;
}

function formatName(name: string): string {
  return PLAIN_NAME.test(name) ? name : quote(name);
}

/** In PromQL's escapes, so that whatever a client has sent stays on its line and harms no terminal. */
function quote(text: string): string {
  const escaped = text.replaceAll(/["\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '"' || character === "\\") return `\\${character}`;
    if (character === "\n") return "\\n";
    const codePoint = character.codePointAt(0) ?? 0;
    const hex = codePoint.toString(16);
    return codePoint > 0xffff ? `\\U${hex.padStart(8, "0")}` : `\\u${hex.padStart(4, "0")}`;
  });
  return `"${escaped}"`;
}
