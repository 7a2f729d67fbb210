import { describe, expect, test } from "bun:test";
import { HeaderFields } from "./header-fields.ts";
import { OutputBuffer } from "./output-buffer.ts";

/** The fields of these lines, as they stand in a head. */
function fieldsOf(...lines: string[]): HeaderFields {
  const head = lines.join("\r\n");
  return HeaderFields.parse(Buffer.from(`${head}\r\n\r\n`, "latin1"), 0, head.length);
}

function passedOn(fields: HeaderFields, connectionOptions: string[] = []): string {
  const output = new OutputBuffer();
  fields.copyEndToEnd(output, connectionOptions);
  return output.view().toString("latin1");
}

describe("HeaderFields.get()", () => {
  const fields = fieldsOf("Via: 1.1 a", "VIA: 1.1 b", "X:");

  test("finds the first value whatever the case of the name", () => {
    expect(fields.get("via")).toBe("1.1 a");
    expect([...fields.values("via")]).toEqual(["1.1 a", "1.1 b"]);
  });

  test("tells an empty value from none, and a name from a value", () => {
    expect(fields.get("x")).toBe("");
    expect(fields.get("1.1 a")).toBeUndefined();
  });
});

describe("HeaderFields.decimalAt()", () => {
  test.each<[string, number]>([
    ["0", 0],
    [" 005\t", 5],
    ["999999999999999", 999_999_999_999_999],
    ["1000000000000000", -1],
    ["", -1],
    ["+5", -1],
    ["5 5", -1],
    ["\xb2", -1],
  ])("reads %p as %p", (value, number) => {
    expect(fieldsOf(`X:${value}`).decimalAt(0)).toBe(number);
  });
});

describe("HeaderFields.copyEndToEnd()", () => {
  test("keeps order, spelling and repetition of what passes on", () => {
    const lines = ["x-B: 1", "A:", "x-B:\t2 "];
    expect(passedOn(fieldsOf(...lines))).toBe("x-B: 1\r\nA:\r\nx-B:\t2 \r\n");
  });

  test.each([
    "Connection",
    "Content-Length",
    "Expect",
    "Host",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
  ])("keeps back %s wherever it stands", (name) => {
    const lines = [`${name}: a`, "X: 1", `${name.toLowerCase()}: b`, "Y: 2", `${name.toUpperCase()}: c`];
    expect(passedOn(fieldsOf(...lines))).toBe("X: 1\r\nY: 2\r\n");
    expect(passedOn(fieldsOf(`${name}: a`))).toBe("");
  });

  test("passes on names that only look alike", () => {
    const lines = ["Hosts: a", "H\x6fsx: b", "Content_Length: 1", "Upgradf: c"];
    expect(passedOn(fieldsOf(...lines))).toBe(`${lines.join("\r\n")}\r\n`);
  });

  test("keeps back what the Connection field names", () => {
    expect(passedOn(fieldsOf("X-Hop: a", "X-End: b"), ["x-hop", "close"])).toBe("X-End: b\r\n");
  });

  test("passes credentials on, as Pushgateway behind a proxy asks for them", () => {
    expect(passedOn(fieldsOf("Authorization: Basic eA=="))).toBe("Authorization: Basic eA==\r\n");
  });
});
