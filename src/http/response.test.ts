import { describe, expect, test } from "bun:test";
import { formatResponseHead, plainTextBody } from "./response.ts";

describe("formatResponseHead()", () => {
  test("writes status line, fields, prepared lines and Connection, in this order", () => {
    const parts = { headers: ["A", "1", "B", "2"], headerLines: "C: 3\r\n", connection: "close" as const };
    expect(formatResponseHead(307, parts)).toBe(
      "HTTP/1.1 307 Temporary Redirect\r\nA: 1\r\nB: 2\r\nC: 3\r\nConnection: close\r\n\r\n",
    );
  });

  test("prefers the reason that it is given, and keeps the blank behind a status without one", () => {
    expect(formatResponseHead(200, { reason: "Fine" })).toBe("HTTP/1.1 200 Fine\r\n\r\n");
    expect(formatResponseHead(299, {})).toBe("HTTP/1.1 299 \r\n\r\n");
  });
});

describe("plainTextBody()", () => {
  test("counts bytes, not characters", () => {
    expect(plainTextBody("é\n").headers).toEqual([
      "Content-Type",
      "text/plain; charset=utf-8",
      "X-Content-Type-Options",
      "nosniff",
      "Content-Length",
      "3",
    ]);
  });
});
