import type { HttpExchange } from "../http/server-exchange.ts";
import type { MemberSet } from "../membership/member-set.ts";
import { type GroupingKey, isPushPath, PushPathError, parsePushPath } from "../sharding/grouping-key.ts";
import { ApiError, labelsOf, NOT_READY, RETRY_SOON, respondData, respondError, text } from "./json-answer.ts";
import { pushUrl } from "./redirect.ts";
import type { Route } from "./web-handler.ts";

export interface StatusApiOptions {
  readonly members: () => MemberSet | undefined;
  readonly utf8Names: () => boolean;
  readonly holdings: MemberHoldings;
}

/** What is known of the groups on members; undefined where nothing is. */
export interface MemberHoldings {
  /** How many groups a member held when somebody looked last. */
  readonly groups: (address: string) => number | undefined;
  /** By member, how many of them belong to others: what a drain still waits for. Members without any are missing. */
  readonly misplaced: () => Promise<ReadonlyMap<string, number> | undefined>;
}

/**
 * What the router knows, as JSON in the envelope of Prometheus' HTTP API: who the members are, and who owns a group.
 * The lookup route answers the same question in the one line that the Go program gave.
 */
export class StatusApi {
  readonly #options: StatusApiOptions;

  constructor(options: StatusApiOptions) {
    this.#options = options;
  }

  /** GET /api/v1/members */
  readonly members: Route = async (exchange) => {
    const { holdings } = this.#options;
    const set = this.#options.members();
    if (set === undefined) {
      respondError(exchange, new ApiError(503, NOT_READY));
      return;
    }
    const misplaced = await holdings.misplaced();
    const misplacedOn = (address: string) =>
      holdings.groups(address) === undefined ? undefined : misplaced && (misplaced.get(address) ?? 0);
    respondData(exchange, {
      members: set.members.map((member, index) => ({
        address: member.address,
        state: member.state,
        since: new Date(member.since).toISOString(),
        reason: member.reason,
        takes_pushes: set.takesPushes(index),
        groups: holdings.groups(member.address) ?? null,
        misplaced: misplacedOn(member.address) ?? null,
      })),
      panic: set.panic,
      ring_fingerprint: set.fingerprint,
    });
  };

  /** GET /api/v1/owner?path=/metrics/job/… */
  readonly owner: Route = (exchange, query) => {
    const path = pathParameter(query);
    if (path === undefined || !isPushPath(path)) {
      const problem = "Want ?path=/metrics/job/<job>[/<label>/<value>…], percent-encoded";
      respondError(exchange, new ApiError(400, problem));
      return;
    }
    const found = this.#lookUp(path);
    if ("problem" in found) {
      respondError(exchange, new ApiError(found.status, found.problem));
      return;
    }
    const { key, set } = found;
    const [owner, ...next] = set.ownersOf(key.canonicalPath);
    respondData(exchange, {
      owner: owner?.address ?? null,
      fail_over: next.map(({ address }) => address),
      canonical_path: text(key.canonicalPath),
      grouping_key: labelsOf(key),
    });
  };

  /** GET /metrics/job/…: `nextUrl:` and where the push would go, as the Go program says it. */
  readonly lookup = (exchange: HttpExchange, path: string): number => {
    const found = this.#lookUp(path);
    if ("problem" in found) {
      exchange.respondText(found.status, `${found.problem}\n`, found.status === 503 ? RETRY_SOON : []);
      return found.status;
    }
    const owner = found.set.ownerOf(found.key.canonicalPath);
    if (owner === undefined) exchange.respondText(503, "No member takes pushes\n", RETRY_SOON);
    else exchange.respondText(200, `nextUrl:${pushUrl(owner.address, path)}`);
    return exchange.status;
  };

  #lookUp(path: string): Finding {
    const set = this.#options.members();
    if (set === undefined) return { status: 503, problem: NOT_READY };
    try {
      return { key: parsePushPath(path, { utf8Names: this.#options.utf8Names() }), set };
    } catch (error) {
      if (!(error instanceof PushPathError)) throw error;
      return { status: error.status, problem: error.message };
    }
  }
}

/** The group that a path names and the members at the moment, or why it cannot be told, and the status to say so with. */
type Finding =
  | { readonly key: GroupingKey; readonly set: MemberSet }
  | { readonly status: 400 | 404 | 503; readonly problem: string };

/** The path parameter as a byte string. Percent signs are decoded once; a plus is a plus, as it is in a push path. */
function pathParameter(query: string): string | undefined {
  for (const parameter of query.split("&")) {
    if (parameter.startsWith("path=")) {
      return parameter
        .slice(5)
        .replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    }
  }
  return undefined;
}
