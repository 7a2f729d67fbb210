import fc from "fast-check";

/**
 * Push paths, raw as on the wire and without a query: mostly sound ones in every spelling that Pushgateway understands,
 * and among them whatever a careless or hostile client might send. Byte strings, like everything about paths.
 */
export function pushPath(): fc.Arbitrary<string> {
  const sound = fc.tuple(beginning(), fc.array(labelPair(), { maxLength: 4 }), ending()).map(join);
  return fc
    .oneof({ weight: 5, arbitrary: sound }, { weight: 2, arbitrary: sound.chain(mutated) })
    .filter((path) => path.startsWith("/"));
}

function join([head, pairs, tail]: readonly [string, readonly string[], string]): string {
  return `${head}${pairs.join("")}${tail}`;
}

function beginning(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 12, arbitrary: part().map((job) => `/metrics/job/${job}`) },
    { weight: 4, arbitrary: base64Text().map((job) => `/metrics/job@base64/${job}`) },
    { weight: 2, arbitrary: fc.tuple(oddPrefix(), part()).map(([prefix, job]) => prefix + job) },
  );
}

function oddPrefix(): fc.Arbitrary<string> {
  return fc.constantFrom(
    ...["/metrics/job%40base64/", "/metr%69cs/job/", "/metrics/job%2F", "/metrics%2fjob/", "/metrics/%6a%6F%62/"],
    ...["/Metrics/job/", "/metrics/JOB@base64/", "/metrics/job@BASE64/", "/metrics//job/", "//metrics/job/"],
    ...["/metrics/./job/", "/x/../metrics/job/", "/metrics/jobs/", "/metrics/", "/metrics/job", "/job/"],
  );
}

function ending(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 30, arbitrary: fc.constant("") },
    fc.constantFrom("/", "//", "/x", "/x/", "%2F", "/..", "/."),
  );
}

function labelPair(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(labelName(), part()).map(([name, value]) => `/${name}/${value}`) },
    { weight: 3, arbitrary: fc.tuple(labelName(), base64Text()).map(([name, value]) => `/${name}@base64/${value}`) },
    { weight: 1, arbitrary: fc.tuple(labelName(), base64Text()).map(([name, value]) => `/${name}%40base64/${value}`) },
  );
}

function labelName(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 24, arbitrary: fc.constantFrom("instance", "zone", "a", "b", "B", "_", "x_1", "le", "quantile", "job") },
    { weight: 1, arbitrary: fc.constantFrom("1x", "x-y", "x.y", "__x", "__name__", "x%0ay", "%20", "x@base64", "%00") },
    { weight: 1, arbitrary: escapedName() },
    { weight: 1, arbitrary: fc.string({ unit: utf8Unit(), minLength: 1, maxLength: 3 }) },
  );
}

/** Names in prometheus/common's "values" escaping, about half of them proper. */
function escapedName(): fc.Arbitrary<string> {
  const unit = fc.constantFrom(
    ...["a", "B", "9", "__", "_2e_", "_2E_", "_1f600_", "_e4_", "_20ac_", "_0002e_", "_5f_", "_", "_2e"],
    ...["_d800_", "_10ffff_", "_g_", "_%12e_", "%c3%a4", "%ff", ".", "%00"],
  );
  const name = fc.array(unit, { maxLength: 3 }).map((units) => `U__${units.join("")}`);
  return fc.oneof({ weight: 6, arbitrary: name }, fc.constantFrom("U__job", "U__a", "U___5f__5f_x", "U______x"));
}

function part(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 16, arbitrary: fc.stringMatching(/^[a-zA-Z0-9_.:-]{1,12}$/) },
    { weight: 3, arbitrary: fc.string({ unit: utf8Unit(), minLength: 1, maxLength: 5 }) },
    { weight: 1, arbitrary: fc.array(hostileUnit(), { minLength: 1, maxLength: 4 }).map((units) => units.join("")) },
    { weight: 1, arbitrary: fc.constantFrom("", ".", "..", "...", "%2e", "%2E%2e", "a%2Fb", "a%252Fb", "+", "a+b") },
  );
}

/** Base64 of any bytes in any of its spellings, and a tenth of the time something that is not base64. */
function base64Text(): fc.Arbitrary<string> {
  const unit = fc.constantFrom(...WELL_KNOWN);
  const text = fc.oneof(fc.string({ maxLength: 8 }), fc.string({ unit, maxLength: 3 }), fc.constant("/var/"));
  const url = text.map((value) => Buffer.from(value).toString("base64url"));
  const byte = fc.constantFrom(0x00, 0x41, 0x80, 0xa4, 0xbf, 0xc0, 0xc3, 0xe0, 0xed, 0xf4, 0xff);
  const anyBytes = fc.array(byte, { maxLength: 4 }).map((value) => Buffer.from(value).toString("base64url"));
  const digits = fc.stringMatching(/^[A-Za-z0-9_-]{0,6}$/);
  const bad = fc.constantFrom("Y", "Y=", "YQ=a", "YQ%3Da", "!!", "+w", "%2B", "YQ=%0a", "Y%0a", "%c3%a4", "YWJj%00");
  return fc.oneof(
    { weight: 12, arbitrary: url },
    {
      weight: 2,
      arbitrary: fc.tuple(url, fc.constantFrom("=", "==", "===", "%3D", "%3D=")).map((both) => both.join("")),
    },
    { weight: 1, arbitrary: fc.tuple(url, fc.constantFrom("%0a", "%0D%0A"), url).map((all) => all.join("")) },
    { weight: 1, arbitrary: anyBytes },
    { weight: 1, arbitrary: digits },
    { weight: 1, arbitrary: bad },
  );
}

/** Characters that Unicode has had for long: Go and Bun may know different editions of it, and quote newer ones differently. */
const WELL_KNOWN = "äß€任務😀\u00a0\u00ad\u0301\u200b\u2028\u0085\ue000\ufffd\u{10ffff}z~";

/** One character, percent-encoded or raw. */
function utf8Unit(): fc.Arbitrary<string> {
  return fc.tuple(fc.constantFrom(...WELL_KNOWN), fc.boolean()).map(([text, isRaw]) => {
    const bytes = Buffer.from(text).toString("latin1");
    return isRaw ? bytes : [...bytes].map(percentEncode).join("");
  });
}

/** What parsers trip over. Not among it what would end the request line or begin a query. */
function hostileUnit(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom(
      ...["/", "%2F", "%2f", "//", ".", "..", "%2e", "/../", "@", "%40", "@base64", "=", "%3D", "+", "#", "%23", "%3F"],
      ...["%", "%%", "%4", "%zz", "%25", "%00", "%0a", "%0D", "%09", "%20", "%7f", "%ff", "%c3", "%ed%a0%80", "%c0%af"],
      ...[
        "\t",
        "\x01",
        "\x7f",
        "\xff",
        "\xc3",
        "\\",
        "|",
        '"',
        "<",
        ";",
        "&",
        ",",
        "'",
        "{",
        "^",
        "`",
        "~",
        "__",
        "U__",
      ],
    ),
    fc.integer({ min: 0, max: 255 }).map((byte) => percentEncode(String.fromCharCode(byte))),
  );
}

/** The path after some edits at any place: a byte lost, a hostile one put in, an ordinary one percent-encoded. */
function mutated(path: string): fc.Arbitrary<string> {
  const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), kind: fc.nat(2), unit: hostileUnit() });
  return fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) => {
    let bytes = path;
    for (const { at, kind, unit } of edits) {
      const index = Math.min(bytes.length - 1, Math.floor(at * bytes.length));
      const replaced =
        kind === 0 ? "" : kind === 1 ? unit + bytes.slice(index, index + 1) : percentEncode(bytes.charAt(index));
      bytes = bytes.slice(0, index) + replaced + bytes.slice(index + 1);
    }
    return bytes;
  });
}

function percentEncode(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
