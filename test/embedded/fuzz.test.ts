import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { exposeFamilies } from "../../src/embedded/family-exposition.ts";
import { GroupStore, PushRejectedError } from "../../src/embedded/group-store.ts";
import { BodyTooLargeError } from "../../src/embedded/server/body-too-large-error.ts";
import { ContentEncodingError, decodeContent } from "../../src/embedded/server/content-encoding.ts";
import { cleanPath, decodePath, escapePath } from "../../src/embedded/server/go-path.ts";
import { formatGroup } from "../../src/embedded/server/metrics-json.ts";
import { exposeText } from "../../src/embedded/text-exposition.ts";
import { negotiateFormat, parseMediaType, prefersGzip } from "../../src/exposition/media-type.ts";
import { ProtobufFormatError, parseDelimited } from "../../src/exposition/protobuf-decoder.ts";
import { encodeDelimited } from "../../src/exposition/protobuf-encoder.ts";
import { parseText, TextFormatError } from "../../src/exposition/text-parser.ts";
import { type GroupingKey, PushPathError, parsePushPath } from "../../src/sharding/grouping-key.ts";
import { pushPath } from "../integration/push-path-arbitrary.ts";
import { PROTOBUF_TYPE, snappyFramed } from "../support/push-bodies.ts";
import { protobufBody } from "./protobuf-arbitrary.ts";
import { textPush } from "./push-arbitrary.ts";

const { FUZZ_SEED = "1", FUZZ_RUNS = "500" } = process.env;
const runs = { seed: Number(FUZZ_SEED), numRuns: Number(FUZZ_RUNS) };
const TIMEOUT_MS = 20_000 + 20 * runs.numRuns;
const MAX_BYTES = 100_000;

const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));
const byteString = bytes.map((buffer) => buffer.toString("latin1"));

setDefaultTimeout(TIMEOUT_MS);

/** Sound bytes with a few that are others. */
function damaged(sound: Uint8Array): fc.Arbitrary<Buffer> {
  const change = fc.tuple(fc.nat(sound.length - 1), fc.nat(255));
  return fc.array(change, { maxLength: 3 }).map((changes) => {
    const result = Buffer.from(sound);
    for (const [at, byte] of changes) result[at] = byte;
    return result;
  });
}

/** Whether it comes to a result; any error but the declared ones is thrown on. */
function succeeds(declared: readonly (abstract new (...parts: never[]) => Error)[], action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (declared.some((kind) => error instanceof kind)) return false;
    throw error;
  }
}

describe("Whatever bytes come,", () => {
  test("a Content-Encoding is taken off, or refused with ContentEncodingError", () => {
    const body = fc.oneof(
      bytes,
      damaged(Bun.gzipSync(`x ${"1".repeat(200)}\n`)),
      damaged(snappyFramed("x 1\n")),
      damaged(Buffer.concat([snappyFramed("x 1\n"), snappyFramed("y 2\n")])),
    );
    const encoding = fc.constantFrom("gzip", "GZIP", "snappy", "deflate", undefined);
    const limits = { maxBytes: MAX_BYTES, takeMemory: () => true };
    let taken = 0;
    fc.assert(
      fc.property(body, encoding, (input, name) => {
        if (succeeds([ContentEncodingError, BodyTooLargeError], () => decodeContent(input, name, limits))) taken++;
      }),
      runs,
    );
    expect(taken).toBeGreaterThan(0);
  });

  test("media types, and headers that list them, are read without an error", () => {
    const token = fc.constantFrom(
      "text/plain",
      PROTOBUF_TYPE,
      "gzip",
      ";",
      ",",
      "=",
      "q=0",
      "q=x",
      '"',
      "\\",
      " ",
      "\t",
      "*/*",
    );
    const header = fc.oneof(
      byteString,
      fc.array(token, { maxLength: 12 }).map((tokens) => tokens.join("")),
    );
    fc.assert(
      fc.property(header, (text) => {
        parseMediaType(text);
        expect(["text", "protobuf"]).toContain(negotiateFormat(text).kind);
        expect(typeof prefersGzip(text)).toBe("boolean");
      }),
      runs,
    );
  });

  test("a path is decoded, cleaned once and for all, and escaped so that it decodes to the same", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          byteString.map((rest) => `/${rest}`),
          pushPath(),
        ),
        (path) => {
          const decoded = decodePath(path);
          if (decoded === undefined) return;
          const cleaned = cleanPath(decoded);
          expect(cleanPath(cleaned)).toBe(cleaned);
          expect(decodePath(escapePath(decoded))).toBe(decoded);
        },
      ),
      runs,
    );
  });
});

describe("Whatever is pushed,", () => {
  const families = fc.oneof(
    textPush.map(
      ({ body }) =>
        () =>
          parseText(Buffer.from(body)),
    ),
    protobufBody.map((body) => () => parseDelimited(body)),
  );
  const push = fc.record({
    path: fc.oneof(
      textPush.map(({ path }) => `/metrics/job/${path}`),
      pushPath(),
    ),
    families,
    isPut: fc.boolean(),
  });

  function store(
    pushes: readonly { path: string; families: () => ReturnType<typeof parseText>; isPut: boolean }[],
    utf8Names: boolean,
  ): GroupStore {
    const result = new GroupStore({ utf8Names, ownFamilies: [] });
    const refusals = [PushPathError, TextFormatError, ProtobufFormatError, PushRejectedError];
    for (const [now, { path, families: parse, isPut }] of pushes.entries()) {
      succeeds(refusals, () => {
        const key: GroupingKey = parsePushPath(path, { utf8Names });
        if (isPut) result.replace(key, parse(), now + 1);
        else result.update(key, parse(), now + 1);
      });
    }
    return result;
  }

  test("the store refuses it with a declared error or can expose it, each series once, in all formats", () => {
    let seriesCount = 0;
    fc.assert(
      fc.property(fc.array(push, { minLength: 5, maxLength: 20 }), fc.boolean(), (pushes, utf8Names) => {
        const filled = store(pushes, utf8Names);
        const exposed = parseDelimited(encodeDelimited(exposeFamilies(filled, [])));
        const series = exposed.flatMap(({ name, metrics }) =>
          metrics.map(({ labels }) => JSON.stringify([name, labels])),
        );
        expect(new Set(series).size).toBe(series.length);
        seriesCount += series.length;
        // As in Pushgateway, a histogram with a label le has two of them in the text format; and names beyond the legacy ones
        // look alike there.
        const isClear =
          !utf8Names && exposed.every(({ metrics }) => metrics.every(({ labels }) => !labels.includes("le")));
        if (isClear) expect(succeeds([], () => parseText(exposeText(filled, [])))).toBe(true);
        for (const group of filled.groups()) JSON.parse(Buffer.from(formatGroup(group), "latin1").toString());
      }),
      runs,
    );
    expect(seriesCount).toBeGreaterThan(runs.numRuns);
  });

  test("nothing is left of it once all groups are deleted", () => {
    fc.assert(
      fc.property(fc.array(push, { minLength: 5, maxLength: 20 }), (pushes) => {
        const filled = store(pushes, false);
        for (const { path } of pushes) {
          succeeds([PushPathError], () => filled.delete(parsePushPath(path, { utf8Names: false })));
        }
        expect(filled.size).toBe(0);
        expect([...filled.index.entries()]).toEqual([]);
        expect(exposeText(filled, []).length).toBe(0);
      }),
      runs,
    );
  });
});
