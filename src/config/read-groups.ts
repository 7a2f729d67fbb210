import { parseGroupSelector } from "../matchers/selector.ts";
import type { GroupsConfig, TtlRule } from "./config.ts";
import type { ConfigSection } from "./config-section.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** How groups are looked after, and when they expire. */
export function readGroups(section: ConfigSection): GroupsConfig {
  return {
    auditIntervalMs: section.duration("audit_interval", 5 * MINUTE, { min: 100, max: 1 * DAY }),
    cleanUpRate: section.integer("clean_up_rate", 500, { min: 1, max: 1_000_000 }),
    ttl: section.sections("ttl", readTtlRule).filter((rule) => rule !== undefined),
  };
}

function readTtlRule(section: ConfigSection): TtlRule | undefined {
  const match = section.value("match", parseGroupSelector);
  const afterMs = section.optionalDuration("after", { min: 1 * SECOND, max: 3650 * DAY });
  if (!section.has("match")) section.problem("match", 'expected a selector of groups such as {job=~"spark-.*"}');
  if (!section.has("after"))
    section.problem("after", "expected how long after its last push a group expires, such as 24h");
  return match === undefined || afterMs === undefined ? undefined : { match, afterMs };
}
