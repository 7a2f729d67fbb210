import type { HttpExchange } from "../../http/server-exchange.ts";
import type { ListedGroup } from "../../pushgateway/group-json.ts";
import { listGroups } from "../../pushgateway/group-listing.ts";
import type { GroupId } from "../../sharding/group-id.ts";
import { API_HEADERS, ApiError, JSON_TYPE, missingMembersHeader, respondError } from "../json-answer.ts";
import { ResponseBody } from "../response-body.ts";
import type { Route } from "../web-handler.ts";
import { awayMembers, type MissingMember, shownMembers } from "./asked-members.ts";
import type { ClusterListing } from "./cluster-listing.ts";
import { type ClusterParts, currentMembers, listCluster } from "./cluster-parts.ts";

/** Answers at a time: each has all members list their groups. */
const MAX_ANSWERS = 4;
/** For one member's groups, at the pace of the client; and for a silence of the member's. */
const MEMBER_TIMEOUT_MS = 300_000;
const MEMBER_IDLE_TIMEOUT_MS = 5_000;
/** So much is gathered before it is sent. */
const PIECE_BYTES = 65_536;

/**
 * GET /api/v1/metrics: Pushgateway's answer over all members, each group once, in the copy that counts. Members are listed twice:
 * first to learn which copies count, then to pass these on as they come, so that an answer of any length takes little memory.
 */
export function mergedMetricsRoute(parts: ClusterParts): Route {
  let answers = 0;
  return async (exchange) => {
    answers++;
    try {
      if (answers > MAX_ANSWERS) throw new ApiError(503, `Busy: ${MAX_ANSWERS} such answers are under way`);
      await answer(exchange, parts);
    } catch (error) {
      respondError(exchange, error, API_HEADERS);
    } finally {
      answers--;
    }
  };
}

async function answer(exchange: HttpExchange, parts: ClusterParts): Promise<void> {
  const set = currentMembers(parts);
  const body = new ResponseBody(exchange);
  const listing = await listCluster(parts, set, "fresh");
  const shown = shownMembers(set, MEMBER_TIMEOUT_MS).map(({ address }) => address);
  const missing = [...awayMembers(set), ...listing.missing.filter(({ address }) => shown.includes(address))];
  const header = missingMembersHeader(missing.map(({ address }) => address));
  exchange.begin(200, [...API_HEADERS, ...header, ...JSON_TYPE], "unknown-length");
  const groups = new GroupStream(body, listing, shown, parts);
  try {
    await groups.begin();
    for (const address of shown.filter((address) => listing.held.has(address))) await groups.passOn(address);
    await groups.end(missing);
    exchange.end();
  } catch (error) {
    // Nobody is left to be told.
    if (!body.signal.aborted) throw error;
  }
}

class GroupStream {
  readonly #body: ResponseBody;
  readonly #listing: ClusterListing;
  readonly #shown: ReadonlySet<string>;
  readonly #choose: ClusterParts["choose"];
  readonly #slices: ClusterParts["slices"];
  /** Groups that came after the listing, and so of unknown copies. */
  readonly #newcomers = new Set<GroupId>();
  readonly #failed: MissingMember[] = [];
  #parts: Buffer[] = [];
  #bytes = 0;
  #isFirst = true;

  constructor(body: ResponseBody, listing: ClusterListing, shown: readonly string[], { choose, slices }: ClusterParts) {
    this.#body = body;
    this.#listing = listing;
    this.#shown = new Set(shown);
    this.#choose = choose;
    this.#slices = slices;
  }

  async begin(): Promise<void> {
    await this.#body.write(Buffer.from('{"status":"success","data":['));
  }

  /** Passes on the groups of a member whose copies count there. A member that fails has its groups passed on up to there. */
  async passOn(address: string): Promise<void> {
    const { signal } = this.#body;
    const timeouts = { timeoutMs: MEMBER_TIMEOUT_MS, idleTimeoutMs: MEMBER_IDLE_TIMEOUT_MS };
    const options = { ...timeouts, signal, slices: this.#slices };
    try {
      await listGroups(address, options, (group) =>
        this.#countsAt(address, group) ? this.#add(group.json) : undefined,
      );
    } catch (error) {
      signal.throwIfAborted();
      this.#failed.push({ address, error });
    }
  }

  /** The envelope has a place for what is missing, since the header is gone by then. */
  async end(missing: readonly MissingMember[]): Promise<void> {
    await this.#flush();
    const warnings = [...missing, ...this.#failed].map(
      ({ address, error }) => `${address}: ${(error as Error).message}`,
    );
    const rest = warnings.length === 0 ? "" : `,"warnings":${JSON.stringify(warnings)}`;
    await this.#body.write(Buffer.from(`]${rest}}\n`));
  }

  #countsAt(address: string, { id }: ListedGroup): boolean {
    const copies = this.#listing.copiesOf(id).filter((copy) => this.#shown.has(copy.address));
    if (copies.length === 0) {
      const isNew = !this.#newcomers.has(id);
      this.#newcomers.add(id);
      return isNew;
    }
    return this.#choose(id, copies) === address;
  }

  #add(json: Buffer): Promise<void> | undefined {
    if (!this.#isFirst) this.#parts.push(COMMA);
    this.#isFirst = false;
    this.#parts.push(json);
    this.#bytes += json.length + 1;
    return this.#bytes >= PIECE_BYTES ? this.#flush() : undefined;
  }

  async #flush(): Promise<void> {
    const piece = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    if (piece.length > 0) await this.#body.write(piece);
  }
}

const COMMA = Buffer.from(",");
