import { expect, test } from "bun:test";
import fc from "fast-check";
import type { MetricFamily } from "../exposition/model.ts";
import { parseText } from "../exposition/text-parser.ts";
import { parsePushPath } from "../sharding/grouping-key.ts";
import { GroupStore, PushRejectedError } from "./group-store.ts";
import { exposeText } from "./text-exposition.ts";

/** Bodies as one program pushes them again and again, with other values. Some differ in the order only, some clash. */
const BODIES: readonly ((value: number) => string)[] = [
  (v) => `# TYPE a gauge\na ${v}\n# TYPE b counter\nb{x="2"} ${v}\nb{x="1"} 5\n`,
  (v) => `# TYPE b counter\nb{x="2"} ${v}\nb{x="1"} ${v}\n# TYPE a gauge\na 5\n`,
  (v) => `# TYPE b counter\nb{x="1"} ${v}\nb{x="2"} 5\n`,
  (v) => `# HELP a Version ${v}.\n# TYPE a gauge\na ${v}\n`,
  (v) => `a ${v}\n`,
  (v) => `# TYPE a gauge\na{y="1",x="2"} ${v}\na{x="2",y="1"} 5\n`,
  (v) => `# TYPE a gauge\na{x="1",y="2"} ${v}\na 5\n`,
  (v) => `# TYPE s summary\ns{quantile="0.5"} ${v}\ns_sum 3\ns_count ${v}\n`,
  (v) => `s_sum ${v}\n`,
  (v) => `b{job="other"} ${v}\n`,
  (v) => `a ${v} 5\n`,
  (v) => `push_time_seconds ${v}\n# TYPE a gauge\na ${v}\n`,
  () => "",
];

const pushes = fc.array(
  fc.record({
    path: fc.constantFrom("j", "j/x/1", "k"),
    isPut: fc.boolean(),
    body: fc.tuple(fc.constantFrom(...BODIES), fc.nat({ max: 3 })).map(([body, value]) => body(value)),
  }),
  { minLength: 10, maxLength: 40 },
);

function isRejected(push: () => void): boolean {
  try {
    push();
    return false;
  } catch (error) {
    if (error instanceof PushRejectedError) return true;
    throw error;
  }
}

/** The families as a body had them. */
function asPushed({ families }: NonNullable<ReturnType<GroupStore["get"]>>): readonly MetricFamily[] {
  return families.map(({ name, help, type, inBodyOrder }) => ({
    name,
    help,
    type,
    metrics: inBodyOrder.map((metric) => ({ ...metric, labels: metric.own })),
  }));
}

test("A store in which pushes renew what is there exposes the same as one in which each group is put anew", () => {
  fc.assert(
    fc.property(pushes, (sequence) => {
      const options = { utf8Names: false, ownFamilies: [] };
      const [renewing, replacing] = [new GroupStore(options), new GroupStore(options)];
      for (const [now, { path, isPut, body }] of sequence.entries()) {
        const key = parsePushPath(`/metrics/job/${path}`, options);
        const families = parseText(Buffer.from(body));
        const held = replacing.get(key);
        const before = held === undefined ? [] : asPushed(held);
        const pushed = families.filter(({ name }) => name !== "push_time_seconds");
        const others = before.filter(({ name }) => !pushed.some((family) => family.name === name));
        const after = isPut ? pushed : [...others, ...pushed];
        const rejected = isRejected(() =>
          isPut ? renewing.replace(key, families, now + 1) : renewing.update(key, families, now + 1),
        );
        const { pushTime = 0, pushFailureTime = 0 } = renewing.get(key) ?? {};
        expect(isRejected(() => replacing.putWithPushTime(key, after, pushTime, pushFailureTime))).toBe(rejected);
        if (rejected) replacing.putWithPushTime(key, before, pushTime, pushFailureTime);
        expect(exposeText(renewing, []).toString()).toBe(exposeText(replacing, []).toString());
      }
    }),
    { numRuns: 200 },
  );
});
