import { GroupStore, PushRejectedError } from "../../src/embedded/group-store.ts";
import { cleanPath, decodePath, escapePath } from "../../src/embedded/server/go-path.ts";
import { formatGroup } from "../../src/embedded/server/metrics-json.ts";
import { decodeSnappy } from "../../src/embedded/server/snappy.ts";
import { exposeText } from "../../src/embedded/text-exposition.ts";
import { negotiateFormat, parseMediaType } from "../../src/exposition/media-type.ts";
import type { MetricFamily } from "../../src/exposition/model.ts";
import { ProtobufFormatError, parseDelimited } from "../../src/exposition/protobuf-decoder.ts";
import { encodeDelimited } from "../../src/exposition/protobuf-encoder.ts";
import { parseText, TextFormatError } from "../../src/exposition/text-parser.ts";
import { PushPathError, parsePushPath } from "../../src/sharding/grouping-key.ts";

/** Feeds a parser, or all of a push, with input of that many parts: of the kind that makes a careless program slow. */
type Shape = (size: number) => void;

function many(size: number, part: (index: number) => string): string {
  return Array.from({ length: size }, (_, index) => part(index)).join("");
}

function text(body: string): void {
  ignore(TextFormatError, () => parseText(Buffer.from(body, "latin1")));
}

function push(body: string): GroupStore {
  const store = new GroupStore({ utf8Names: false, ownFamilies: [] });
  const key = parsePushPath("/metrics/job/a/b/c", { utf8Names: false });
  for (const now of [1, 2]) ignore(PushRejectedError, () => store.replace(key, parseText(Buffer.from(body)), now));
  for (const group of store.groups()) formatGroup(group);
  exposeText(store, []);
  return store;
}

function protobuf(bytes: Uint8Array): void {
  ignore(ProtobufFormatError, () => parseDelimited(bytes));
}

function path(target: string): void {
  ignore(PushPathError, () => parsePushPath(target, { utf8Names: true }));
  const decoded = decodePath(target);
  if (decoded !== undefined) escapePath(cleanPath(decoded));
}

function ignore(declared: abstract new (...parts: never[]) => Error, action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof declared)) throw error;
  }
}

function family(name: string, labelCount: number): MetricFamily {
  const labels = Array.from({ length: labelCount }, (_, index) => [`l${index}`, "v"]).flat();
  const metric = { labels, value: 1, timestampMs: undefined, exemplar: undefined, createdAt: undefined };
  return { name, help: undefined, type: "gauge", metrics: [metric] };
}

const labels = (size: number) => many(size, (i) => `a${size - i}="v",`);

export const SHAPES: Readonly<Record<string, Shape>> = {
  "text of many families": (size) => text(many(size, (i) => `m${i} 1\n`)),
  "text of many lines of one family": (size) => text(many(size, (i) => `m{a="${i}"} 1\n`)),
  "text of families by turns": (size) => text(many(size, (i) => `m${i % 2} 1\n`)),
  "a line of many labels": (size) => text(`m{${labels(size)}} 1\n`),
  "a line of many labels, the last of them a second time": (size) => text(`m{${labels(size)}a1="v"} 1\n`),
  "a line of many labels before its name": (size) => text(`{${labels(size)}"m"} 1\n`),
  "a label value of many escapes": (size) => text(`m{a="${many(size, () => "\\n\\\\")}"} 1\n`),
  "a help text of many escapes": (size) => text(`# HELP m ${many(size, () => "\\n\\\\")}\nm 1\n`),
  "a long number": (size) => text(`m 1${many(size, () => "0")}\n`),
  "a long line of blanks": (size) => text(`m${many(size, () => " \t")}1\n`),
  "many lines that say nothing": (size) => text(many(size, () => " \n#\n# x y\n# TYPE m\n")),
  "a histogram of many buckets": (size) => text(`# TYPE h histogram\n${many(size, (i) => `h_bucket{le="${i}"} 1\n`)}`),
  "many summaries": (size) => text(`# TYPE s summary\n${many(size, (i) => `s{a="${i}",quantile="0.5"} 1\n`)}`),
  "a push of many families": (size) => push(many(size, (i) => `m${(i * 7919) % size} 1\n`)),
  "a push of many series": (size) => push(many(size, (i) => `m{a="${(i * 7919) % size}"} 1\n`)),
  "a push of one series again and again": (size) => push(many(size, () => "m 1\n")),
  "a push of a series of many labels": (size) => push(`m{${labels(size)}} 1\n`),
  "a push of a series of many labels of its group": (size) => push(`m{job="x",b="y",${labels(size)}} 1\n`),
  "a push of a histogram of many buckets": (size) =>
    push(`# TYPE h histogram\n${many(size, (i) => `h_bucket{le="${i}"} 1\n`)}`),
  "many groups": (size) => {
    const store = push("m 1\n");
    for (let i = 0; i < size; i++) {
      store.replace(
        parsePushPath(`/metrics/job/a/c/${i}`, { utf8Names: false }),
        parseText(Buffer.from("m 1\nn 1\n")),
        i,
      );
    }
    exposeText(store, []);
    store.wipe();
  },
  "protobuf of many families": (size) =>
    protobuf(encodeDelimited(Array.from({ length: size }, (_, i) => family(`m${i}`, 1)))),
  "protobuf of many labels": (size) => protobuf(encodeDelimited([family("m", size)])),
  "protobuf of many unknown fields": (size) =>
    protobuf(
      Uint8Array.from([
        0x80 | ((2 * size) % 128),
        (2 * size) >> 7,
        ...Array.from({ length: size }, () => [0x78, 1]).flat(),
      ]),
    ),
  "protobuf of groups within groups": (size) =>
    protobuf(Uint8Array.from([0x80 | (size % 128), size >> 7, ...Array.from({ length: size }, () => 0x7b)])),
  "a path of many labels": (size) => path(`/metrics/job/a${many(size, (i) => `/l${size - i}/v`)}`),
  "a path of many labels in base64": (size) => path(`/metrics/job/a${many(size, (i) => `/l${size - i}@base64/dg`)}`),
  "a path of many percent signs": (size) => path(`/metrics/job/${many(size, () => "%C3%A4")}`),
  "a path of many slashes": (size) => path(`/metrics/job/${many(size, () => "/")}a`),
  "a path of many dots": (size) => path(`/metrics/job${many(size, () => "/..")}`),
  "an escaped label name": (size) => path(`/metrics/job/a/U__${many(size, () => "_2e_")}/v`),
  "a media type of many parameters": (size) => void parseMediaType(`text/plain${many(size, (i) => `; p${i}="\\v"`)}`),
  "a media type of many blanks": (size) => void parseMediaType(`text/plain;${many(size, () => " \t")}x`),
  "an Accept header of many clauses": (size) => void negotiateFormat(many(size, (i) => `text/x${i};q=0.${i},`)),
  "snappy of many chunks": (size) =>
    void decodeSnappy(
      Buffer.concat([
        Buffer.from("\xff\x06\0\0sNaPpY", "latin1"),
        ...Array.from({ length: size }, () => Buffer.from([0x80, 1, 0, 0, 7])),
      ]),
      1_000,
    ),
};
