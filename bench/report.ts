import type { BenchRow } from "./bench-row.ts";

const HEADINGS = ["", "ours", "peer", "", "ratio", "target", ""];

/** The rows as a table for people. Behind a median stands the range of its rounds. */
export function renderTable(rows: readonly BenchRow[]): string {
  const lines = [HEADINGS, ...rows.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function cells(row: BenchRow): readonly string[] {
  return [
    row.name,
    figure(row.value, row.unit, row.range),
    row.peer ?? "",
    row.peerValue === undefined ? "" : figure(row.peerValue, row.unit, row.peerRange),
    row.ratio === undefined ? "" : `${ratio(row.ratio)}x`,
    row.target ?? "",
    row.met === undefined ? "" : row.met ? "met" : "MISSED",
  ];
}

function figure(value: number, unit: string, range: BenchRow["range"]): string {
  const spread = range === undefined ? "" : ` (${short(range[0])}–${short(range[1])})`;
  return `${short(value)} ${unit}${spread}`;
}

/** Two digits behind the point; of less than a hundredth, the first that says something. */
function ratio(value: number): string {
  return value < 0.01 ? value.toPrecision(1) : value.toFixed(2);
}

/** Three significant digits, but never fewer than the whole part has. */
function short(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}
