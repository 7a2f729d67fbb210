import { describe, expect, test } from "bun:test";
import { HeaderFields } from "./header-fields.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { addResponseHead, type ResponseHeaders } from "./response.ts";

function headOf(status: number, reason: string | undefined, headers: ResponseHeaders, ownLines = ""): string {
  const output = new OutputBuffer();
  addResponseHead(output, { status, reason, headers, ownLines });
  return output.view().toString("latin1");
}

const NO_FIELDS: ResponseHeaders = { list: [], date: "D" };

describe("addResponseHead()", () => {
  test("writes status line, date, our own fields and the lines of this connection, in this order", () => {
    expect(headOf(307, undefined, { list: ["A", "1", "B", "\xe9"], date: "now" }, "Connection: close\r\n")).toBe(
      "HTTP/1.1 307 Temporary Redirect\r\nDate: now\r\nA: 1\r\nB: \xe9\r\nConnection: close\r\n\r\n",
    );
  });

  test("writes the fields that pass on, as they came", () => {
    const lines = "date:x\r\nKeep-Alive: y\r\nX: \xff";
    const passedOn = HeaderFields.parse(Buffer.from(`${lines}\r\n\r\n`, "latin1"), 0, lines.length);
    expect(headOf(200, "OK", { passedOn, connectionOptions: [] })).toBe("HTTP/1.1 200 OK\r\ndate:x\r\nX: \xff\r\n\r\n");
  });

  test("prefers the reason that it is given, and keeps the blank behind a status without one", () => {
    expect(headOf(200, "Fine", NO_FIELDS)).toStartWith("HTTP/1.1 200 Fine\r\n");
    expect(headOf(299, undefined, NO_FIELDS)).toStartWith("HTTP/1.1 299 \r\n");
  });
});
