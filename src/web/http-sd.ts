import type { Member } from "../membership/member.ts";
import type { MemberSet } from "../membership/member-set.ts";
import { murmur3 } from "../sharding/murmur3.ts";
import { parseQuery } from "./query.ts";
import type { Route } from "./web-handler.ts";

/** A target group of Prometheus' http_sd. Prometheus refuses unknown fields. */
interface TargetGroup {
  readonly targets: readonly [string];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The members as Prometheus' HTTP service discovery wants them (prometheus.io/docs/prometheus/latest/http_sd). One group for
 * each member, in the order of addresses: Prometheus tells groups apart by their place, and a stable order spares it work.
 * 503 until discovery is ready, on which Prometheus keeps what it had; an empty list would drop every target.
 *
 * `?shard=i&of=n` lists the part of Prometheus i of n. The hash of its address alone decides whose a member is, so that none
 * changes hands when others come and go.
 */
export function httpSdRoute(members: () => MemberSet | undefined): Route {
  return (exchange, query) => {
    const current = members();
    const isInShard = readShard(query);
    if (isInShard === undefined) {
      exchange.respondText(400, `Want ?shard=<i>&of=<n>, whole numbers with 0 <= i < n <= ${MAX_SHARDS}\n`);
      return;
    }
    if (current === undefined) {
      exchange.respondText(503, "Not ready: discovery has not reported any Pushgateway yet\n", ["Retry-After", "1"]);
      return;
    }
    const groups = current.members.filter((member) => isScraped(member) && isInShard(member)).map(targetGroup);
    exchange.respond(200, ["Content-Type", "application/json; charset=utf-8"], JSON.stringify(groups));
  };
}

const MAX_SHARDS = 10_000;
const WHOLE_NUMBER = /^\d{1,5}$/;

/** Tells which members a query asks for; undefined when it makes no sense. */
function readShard(query: string): ((member: Member) => boolean) | undefined {
  const parameters = parseQuery(query);
  const [shard, of] = [parameters.get("shard"), parameters.get("of")];
  if (shard === null && of === null) return () => true;
  if (!WHOLE_NUMBER.test(shard ?? "") || !WHOLE_NUMBER.test(of ?? "")) return undefined;
  const [index, count] = [Number(shard), Number(of)];
  if (index >= count || count > MAX_SHARDS) return undefined;
  return ({ address }) => murmur3(address) % count === index;
}

/** A joining member is not scraped yet: it may still hold old copies of groups that moved while it was away. */
function isScraped({ state }: Member): boolean {
  return state !== "joining";
}

function targetGroup({ address, state }: Member): TargetGroup {
  return { targets: [address], labels: { __meta_dynamic_sharding_state: state } };
}
