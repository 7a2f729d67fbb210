/** A column; numbers stand right. */
export interface Column {
  readonly title: string;
  readonly align?: "right";
}

const GAP = "  ";

/** Lines of aligned text; the last column is as long as it is. Without rows there are no titles either. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, index) => lines.reduce((width, cells) => Math.max(width, widthOf(cells[index])), 0));
  return lines.map((cells) => `${formatLine(columns, widths, cells)}\n`).join("");
}

function formatLine(columns: readonly Column[], widths: readonly number[], cells: readonly string[]): string {
  const padded = columns.map(({ align }, index) => {
    const cell = cells[index] ?? "";
    const padding = " ".repeat((widths[index] ?? 0) - widthOf(cell));
    return align === "right" ? padding + cell : cell + padding;
  });
  return padded.join(GAP).trimEnd();
}

/** In columns of a terminal, where some characters take two. */
function widthOf(text = ""): number {
  return Bun.stringWidth(text);
}
