import { API_HEADERS, ApiError, missingMembersHeader, NOT_READY, respondData, respondError } from "../json-answer.ts";
import type { Route } from "../web-handler.ts";
import type { ClusterParts } from "./cluster-parts.ts";
import { compareMembers, readMemberStatuses } from "./cluster-status.ts";

export interface RouterFacts {
  readonly version: string;
  readonly startTimeSeconds: number;
}

/** GET /api/v1/status: the router in the shape of a Pushgateway, with the flags that its members share, and who its members are. */
export function clusterStatusRoute({ members }: Pick<ClusterParts, "members">, router: RouterFacts): Route {
  return async (exchange) => {
    const set = members();
    if (set === undefined) {
      respondError(exchange, new ApiError(503, NOT_READY), API_HEADERS);
      return;
    }
    const statuses = await readMemberStatuses(set);
    const { agreed, disagreements } = compareMembers(statuses);
    const silent = statuses.filter(({ error }) => error !== undefined).map(({ address }) => address);
    const data = {
      build_information: buildInformation(router),
      flags: agreed,
      start_time: new Date(1_000 * router.startTimeSeconds).toISOString(),
      members: statuses.map(({ address, version, startTime, error }, index) => ({
        address,
        state: set.members[index]?.state,
        version,
        start_time: startTime,
        ...(error && { error: error.message }),
      })),
      disagreements,
    };
    respondData(exchange, data, [...API_HEADERS, ...missingMembersHeader(silent)]);
  };
}

/** With the fields of a Pushgateway's. */
function buildInformation({ version }: RouterFacts) {
  return {
    branch: "",
    buildDate: "",
    buildUser: "",
    goVersion: "",
    implementation: "dynamic-sharding router",
    revision: "",
    runtime: `bun ${Bun.version}`,
    version,
  };
}
