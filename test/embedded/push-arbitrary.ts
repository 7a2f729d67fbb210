import fc from "fast-check";

/** A push as a generator makes it. Few keys, names and labels, so that pushes meet each other. */
export interface GeneratedPush {
  readonly method: "PUT" | "POST" | "DELETE";
  /** Behind `/metrics/job/`. */
  readonly path: string;
  /** Text, or protobuf. */
  readonly body: string | Uint8Array<ArrayBuffer>;
}

/** A push with a body in the text format. */
export interface TextPush extends GeneratedPush {
  readonly body: string;
}

// No two of them differ in an empty instance only: that poisons a real Pushgateway.
const paths = fc.constantFrom("a", "b", "a/x/1", "a/y/1", "a/instance/i", "b/x/1/y/1", "a/quantile/1", "a/le/1");
const names = fc.constantFrom("m", "m_sum", "m_count", "m_bucket", "n", "n_sum");
const values = fc.constantFrom(
  "0",
  "1",
  "-0",
  "1e6",
  "123456789.5",
  "-1",
  "NaN",
  "+Inf",
  "-Inf",
  "1e-7",
  "0.25",
  "1e22",
);
const types = fc.constantFrom("counter", "gauge", "untyped", "summary", "histogram");
const labels = fc.constantFrom(
  "",
  "",
  "{}",
  '{x="1"}',
  '{y="1"}',
  '{x="1",y="1"}',
  '{y="1",x="1"}',
  '{job="z"}',
  '{instance="j"}',
  '{x="\\"\\\\\\n"}',
  '{__z="1"}',
  '{quantile="1"}',
  '{le="1"}',
);
const suffixes = fc.constantFrom("", "_sum", "_count", "_bucket");
const timestamps = fc.oneof({ weight: 19, arbitrary: fc.constant("") }, { weight: 1, arbitrary: fc.constant(" 5") });

const samples = fc.array(fc.tuple(suffixes, labels, values, timestamps), { maxLength: 3 });
const family = fc.tuple(names, fc.option(types), fc.boolean(), samples).map(([name, type, hasHelp, lines]) =>
  [
    // One HELP for each name: of several, a real Pushgateway shows a random one.
    hasHelp ? `# HELP ${name} Help of ${name} \\\\ \\n\n` : "",
    type === null ? "" : `# TYPE ${name} ${type}\n`,
    ...lines.map(([suffix, pairs, value, timestamp]) => {
      const isTotal = type === "summary" || type === "histogram";
      return `${name}${isTotal ? suffix : ""}${pairs} ${value}${timestamp}\n`;
    }),
  ].join(""),
);
const plausibleBody = fc.array(family, { maxLength: 3 }).map((families) => families.join(""));

const token = fc.constantFrom(
  ...'m|m_sum|x|1|-1|1e400|NaN|0x1|+| |  |\t|\n|\n|{|}|{}|=|,|"|""|"v"|x="v"|\\|\\n|#|# |# HELP m |# TYPE m |# TYPE|counter|summary|quantile="1"|le="x"|:|_|é|\'|\r|\f'.split(
    "|",
  ),
);
const hostileBody = fc.array(token, { maxLength: 12 }).map((tokens) => `${tokens.join("")}\n`);
const spoiledBody = fc
  .tuple(plausibleBody, token, fc.nat())
  .map(([body, spoiler, at]) => body.slice(0, at % (body.length + 1)) + spoiler + body.slice(at % (body.length + 1)));

export const textPush: fc.Arbitrary<TextPush> = fc.record({
  method: fc.constantFrom("PUT", "POST", "PUT", "POST", "PUT", "POST", "DELETE"),
  path: paths,
  body: fc.oneof(
    { weight: 6, arbitrary: plausibleBody },
    { weight: 2, arbitrary: hostileBody },
    { weight: 2, arbitrary: spoiledBody },
  ),
});
