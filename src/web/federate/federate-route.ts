import type { HttpExchange } from "../../http/server-exchange.ts";
import type { Logger } from "../../log.ts";
import type { Selector } from "../../matchers/selector.ts";
import { SelectorError } from "../../matchers/selector-error.ts";
import type { MemberSet } from "../../membership/member-set.ts";
import { MemberRequestError } from "../../pushgateway/member-request.ts";
import type { WorkSlices } from "../../work-slices.ts";
import { awayMembers, shownMembers } from "../cluster/asked-members.ts";
import { missingMembersHeader, NOT_READY, RETRY_SOON } from "../json-answer.ts";
import { parseQuery, selectorsOf } from "../query.ts";
import { ResponseBody, respondInPieces } from "../response-body.ts";
import type { Route } from "../web-handler.ts";
import { type Federated, federate } from "./federation.ts";
import { FederationLog } from "./federation-log.ts";
import type { CopyJudge } from "./group-copies.ts";
import { ShownTimes } from "./shown-times.ts";

export interface FederateParts {
  readonly members: () => MemberSet | undefined;
  readonly judge: CopyJudge;
  readonly slices: WorkSlices;
  readonly observer: FederateObserver;
  readonly log: Logger;
}

/** Hears how scrapes went. */
interface FederateObserver {
  /** A scrape was answered: so many members are missing from it, so many names of metrics clash. */
  federated(missingMembers: number, typeClashes: number): void;
  /** A member could not be asked, or not asked again: for one of the reasons of a MemberRequestFailure. */
  federateFailed(reason: string): void;
}

/** Scrapes at a time: each holds the metrics of all members in memory. */
const MAX_SCRAPES = 4;
const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_TIMEOUT_MS = 300_000;
/** Parts of the scraper's timeout: to read the metrics of members, and to ask one again. The rest is for the answer. */
const READ_PART = 0.7;
const ASK_AGAIN_PART = 0.15;

const TEXT = "text/plain; version=0.0.4; charset=utf-8";
const UTF8_TEXT = "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8";

/** GET /federate: the groups of all members, each once, for a Prometheus with `honor_labels: true`. */
export function federateRoute(parts: FederateParts): Route {
  const log = new FederationLog(parts.log);
  const shown = new ShownTimes();
  let scrapes = 0;
  return async (exchange, query) => {
    const members = parts.members();
    const selectors = readSelectors(exchange, query);
    if (selectors === undefined) return;
    if (members === undefined) {
      exchange.respondText(503, `${NOT_READY}\n`, RETRY_SOON);
    } else if (scrapes >= MAX_SCRAPES) {
      exchange.respondText(503, `Busy: ${MAX_SCRAPES} scrapes of /federate are under way\n`, RETRY_SOON);
    } else {
      scrapes++;
      await answer(exchange, members, selectors, { ...parts, shown }, log).finally(() => scrapes--);
    }
  };
}

function readSelectors(exchange: HttpExchange, query: string): readonly Selector[] | undefined {
  try {
    return selectorsOf(parseQuery(query));
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    exchange.respondText(400, `${error.message}\n`);
    return undefined;
  }
}

async function answer(
  exchange: HttpExchange,
  members: MemberSet,
  selectors: readonly Selector[],
  { judge, shown, slices, observer }: FederateParts & { readonly shown: ShownTimes },
  log: FederationLog,
): Promise<void> {
  const timeoutMs = scrapeTimeout(exchange);
  const utf8Names = takesUtf8Names(exchange);
  const body = new ResponseBody(exchange);
  try {
    const federated = await federate({
      members: shownMembers(members, READ_PART * timeoutMs),
      selectors,
      utf8Names,
      judge,
      shown,
      askAgainMs: ASK_AGAIN_PART * timeoutMs,
      slices,
      signal: body.signal,
    });
    const missing = [...awayMembers(members), ...federated.missing];
    for (const { error } of federated.missing) observer.federateFailed(reasonOf(error));
    observer.federated(missing.length, federated.clashes.length);
    log.note({ ...federated, missing });
    await respond(exchange, body, { ...federated, missing }, utf8Names);
  } catch (error) {
    // Nobody is left to be told.
    if (!body.signal.aborted) throw error;
  }
}

async function respond(exchange: HttpExchange, body: ResponseBody, federated: Federated, utf8Names: boolean) {
  const { texts, missing } = federated;
  const headers = missingMembersHeader(missing.map(({ address }) => address));
  if (texts.length === 0 && missing.length > 0) {
    const reasons = missing.map(({ error }) => (error as Error).message).join("\n");
    exchange.respondText(503, `No member can be scraped\n${reasons}\n`, headers);
    return;
  }
  await respondInPieces(exchange, body, [...headers, "Content-Type", utf8Names ? UTF8_TEXT : TEXT], federated);
}

/** What is in the way of a text that came whole is in the text. */
function reasonOf(error: unknown): string {
  return error instanceof MemberRequestError ? error.kind : "malformed";
}

function scrapeTimeout({ head }: HttpExchange): number {
  const seconds = Number(head.fields.get("x-prometheus-scrape-timeout-seconds") ?? Number.NaN);
  return seconds > 0 ? Math.min(1_000 * seconds, MAX_TIMEOUT_MS) : DEFAULT_TIMEOUT_MS;
}

/** Whether the reader takes the version of the text format that has any UTF-8 in names, and wants them so. */
function takesUtf8Names({ head }: HttpExchange): boolean {
  const accepted = Array.from(head.fields.values("accept"), (value) => value.split(",")).flat();
  return accepted.some((accept) => {
    const [type, ...parameters] = accept.split(";").map((part) => part.trim().toLowerCase());
    return type === "text/plain" && parameters.includes("version=1.0.0") && parameters.includes("escaping=allow-utf-8");
  });
}
