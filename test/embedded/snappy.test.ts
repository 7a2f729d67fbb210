import { expect, test } from "bun:test";
import fc from "fast-check";
import { describeWithParts } from "../support/parts.ts";
import { maskedCrc32c, SNAPPY_STREAM_START } from "../support/push-bodies.ts";
import { startRealAndOwn } from "./real-and-own.ts";

const RUNS = 150;

/** A piece of a block: bytes as they are, or a copy of what came before, by its distance and length. */
type Element =
  | { readonly literal: string }
  | { readonly distance: number; readonly length: number; readonly wide: boolean };

const element: fc.Arbitrary<Element> = fc.oneof(
  fc.record({ literal: fc.oneof(fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 20 }), longText()) }),
  fc.record({
    distance: fc.integer({ min: 1, max: 3_000 }),
    length: fc.integer({ min: 1, max: 64 }),
    wide: fc.boolean(),
  }),
);

function longText(): fc.Arbitrary<string> {
  return fc.integer({ min: 60, max: 1_000 }).map((length) => "abcdefghij".repeat(length).slice(0, length));
}

/** A chunk that holds a line of comment, so that whatever stands in it is stored as nothing. */
const chunk = fc
  .record({ elements: fc.array(element, { maxLength: 12 }), plain: fc.boolean() })
  .map(({ elements, plain }) => encodeChunk([{ literal: "# c " }, ...elements, { literal: "\n" }], plain));
const END = encodeChunk([{ literal: "x 1\n" }], true);
const stream = fc.array(chunk, { maxLength: 4 }).map((chunks) => Buffer.concat([SNAPPY_STREAM_START, ...chunks, END]));

const damage = fc.record({ at: fc.nat(), bits: fc.integer({ min: 1, max: 255 }), cut: fc.boolean() });

await describeWithParts(["pushgateway-1.11.0"], "snappy", () => {
  const pair = startRealAndOwn();

  async function push(url: string, body: Buffer): Promise<string> {
    const headers = { "content-encoding": "snappy" };
    const response = await fetch(`${url}/metrics/job/a`, { method: "PUT", body, headers, keepalive: false });
    return `${response.status} ${await response.text()}`;
  }

  test("is decoded as by Pushgateway 1.11.0, whatever the encoder did", async () => {
    let stored = 0;
    await fc.assert(
      fc.asyncProperty(stream, async (body) => {
        const ours = await push(pair.own.url, body);
        expect(ours).toBe(await push(pair.real.url, body));
        if (ours.startsWith("200")) stored++;
      }),
      { numRuns: RUNS },
    );
    expect(stored).toBeGreaterThan(RUNS / 2);
  }, 60_000);

  test("is refused as by Pushgateway 1.11.0 when it is damaged", async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(stream, damage, async (body, { at, bits, cut }) => {
        const place = at % body.length;
        const damaged = cut ? body.subarray(0, place) : Buffer.from(body);
        if (!cut) damaged[place] = (damaged[place] as number) ^ bits;
        const ours = await push(pair.own.url, damaged);
        expect(ours).toBe(await push(pair.real.url, damaged));
        if (ours.startsWith("400")) refused++;
      }),
      { numRuns: RUNS },
    );
    expect(refused).toBeGreaterThan(RUNS / 2);
  }, 60_000);
});

function encodeChunk(elements: readonly Element[], plain: boolean): Buffer {
  const block: Buffer[] = [];
  let text = Buffer.alloc(0);
  for (const part of elements) {
    if ("literal" in part) {
      const bytes = Buffer.from(part.literal);
      block.push(literalHead(bytes.length), bytes);
      text = Buffer.concat([text, bytes]);
    } else {
      const distance = 1 + ((part.distance - 1) % text.length);
      block.push(copyOf(distance, part.length, part.wide));
      for (let i = 0; i < part.length; i++) text = Buffer.concat([text, text.subarray(-distance).subarray(0, 1)]);
    }
  }
  return frame(plain, text, Buffer.concat([varint(text.length), ...block]));
}

function literalHead(length: number): Buffer {
  if (length <= 60) return Buffer.from([(length - 1) << 2]);
  return length <= 256
    ? Buffer.from([60 << 2, length - 1])
    : Buffer.from([61 << 2, (length - 1) & 0xff, (length - 1) >> 8]);
}

function copyOf(distance: number, length: number, wide: boolean): Buffer {
  if (!wide && distance < 2_048 && length >= 4 && length <= 11) {
    return Buffer.from([1 | ((length - 4) << 2) | ((distance >> 8) << 5), distance & 0xff]);
  }
  const tag = (length - 1) << 2;
  return wide
    ? Buffer.from([tag | 3, distance & 0xff, distance >> 8, 0, 0])
    : Buffer.from([tag | 2, distance & 0xff, distance >> 8]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function frame(plain: boolean, text: Buffer, block: Buffer): Buffer {
  const content = plain ? text : block;
  const head = Buffer.alloc(8);
  head[0] = plain ? 1 : 0;
  head.writeUIntLE(content.length + 4, 1, 3);
  head.writeUInt32LE(maskedCrc32c(text), 4);
  return Buffer.concat([head, content]);
}
