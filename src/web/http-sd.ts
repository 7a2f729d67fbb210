import type { Member } from "../membership/member.ts";
import type { MemberSet } from "../membership/member-set.ts";
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
 */
export function httpSdRoute(members: () => MemberSet | undefined): Route {
  return (exchange) => {
    const current = members();
    if (current === undefined) {
      exchange.respondText(503, "Not ready: discovery has not reported any Pushgateway yet\n", ["Retry-After", "1"]);
      return;
    }
    const groups = current.members.filter(isScraped).map(targetGroup);
    exchange.respond(200, ["Content-Type", "application/json; charset=utf-8"], JSON.stringify(groups));
  };
}

/** A joining member is not scraped yet: it may still hold old copies of groups that moved while it was away. */
function isScraped({ state }: Member): boolean {
  return state !== "joining";
}

function targetGroup({ address, state }: Member): TargetGroup {
  return { targets: [address], labels: { __meta_dynamic_sharding_state: state } };
}
