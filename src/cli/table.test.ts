import { describe, expect, test } from "bun:test";
import { formatTable } from "./table.ts";

describe("formatTable()", () => {
  test("aligns columns, numbers to the right, and leaves nothing at the end of a line", () => {
    const columns = [{ title: "N", align: "right" }, { title: "FROM" }, { title: "TO" }] as const;
    const rows = [
      ["1", "Köln", "a"],
      ["100", "b", ""],
      ["20", "日本", "c"],
    ];
    expect(formatTable(columns, rows)).toBe("  N  FROM  TO\n  1  Köln  a\n100  b\n 20  日本  c\n");
  });

  test("is nothing without rows", () => {
    expect(formatTable([{ title: "A" }], [])).toBe("");
  });
});
