import type { GroupStore } from "../group-store.ts";
import { listOf, respondData, streamData } from "./api-answers.ts";
import { type Durable, isDurable, NOT_DURABLE } from "./durable.ts";
import { formatGroup } from "./metrics-json.ts";
import type { Answer, RouteTable } from "./route.ts";

export interface ApiOptions {
  readonly version: string;
  /** The command line, as `GET /api/v1/status` shows it. */
  readonly flags: Readonly<Record<string, string>>;
  readonly enableAdminApi: boolean;
  readonly startedAt: Date;
  readonly durable: Durable | undefined;
}

/** Pushgateway's API: what is stored, how the server runs, and the wiping of all groups. */
export function apiRoutes(store: GroupStore, options: ApiOptions): RouteTable {
  return {
    "/api/v1/metrics": { GET: { handler: "api/v1/metrics", answer: metricsAnswer(store) } },
    "/api/v1/status": { GET: { handler: "api/v1/status", answer: statusAnswer(options) } },
    ...(options.enableAdminApi
      ? { "/api/v1/admin/wipe": { PUT: { handler: "wipe", answer: wipeAnswer(store, options) } } }
      : {}),
  };
}

/** The groups of one moment, each as it is when its turn comes: the sending may take long. */
function metricsAnswer(store: GroupStore): Answer {
  return (exchange) => streamData(exchange, listOf([...store.groups()], formatGroup));
}

function statusAnswer({ version, flags, startedAt }: ApiOptions): Answer {
  const data = {
    build_information: {
      branch: "",
      buildDate: "",
      buildUser: "",
      goVersion: "",
      implementation: "dynamic-sharding",
      revision: "",
      runtime: `bun ${Bun.version}`,
      version,
    },
    flags,
    start_time: startedAt.toISOString(),
  };
  const json = Buffer.from(JSON.stringify(data)).toString("latin1");
  return (exchange) => respondData(exchange, json);
}

function wipeAnswer(store: GroupStore, { durable }: ApiOptions): Answer {
  return async (exchange) => {
    store.wipe();
    if (await isDurable(durable)) exchange.respond(202, [], "");
    else exchange.respondText(500, `${NOT_DURABLE}\n`);
  };
}
