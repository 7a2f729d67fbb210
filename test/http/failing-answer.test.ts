import { expect, test } from "bun:test";
import { GroupStore } from "../../src/embedded/group-store.ts";
import { PushRoute } from "../../src/embedded/server/push-route.ts";
import { PushgatewayMetrics } from "../../src/embedded/server/pushgateway-metrics.ts";
import { createRequestHandler } from "../../src/embedded/server/request-handler.ts";
import type { HttpExchange } from "../../src/http/server-exchange.ts";
import { createLogger } from "../../src/log.ts";
import { RouterMetrics } from "../../src/metrics.ts";
import { createWebHandler } from "../../src/web/web-handler.ts";
import { RawConnection } from "../support/raw-http.ts";
import { request, TestServer } from "./http-fixture.ts";

type Answer = (exchange: HttpExchange) => Promise<void>;
type Handler = (exchange: HttpExchange) => void;

const PROCESS = { cpuSeconds: () => 0, residentBytes: () => 0, startTimeSeconds: 0 };

/** A Pushgateway or a router whose answer to GET /x is this one. */
const SERVERS: Readonly<Record<string, (answer: Answer, onError: (error: unknown) => void) => Handler>> = {
  "embedded Pushgateway": (answer, onError) => {
    const metrics = new PushgatewayMetrics("test", PROCESS);
    const push = new PushRoute(
      { utf8Names: false, reportsInconsistency: true },
      {
        store: new GroupStore({ utf8Names: false, ownFamilies: [] }),
        limits: { memory: { maxBytes: 1, takenBytes: 0 }, maxBodyBytes: 1 },
        metrics,
        log: createLogger({ level: "error", format: "logfmt", write: () => {} }),
        durable: undefined,
        onError,
      },
    );
    const fixed = { "/x": { GET: { handler: undefined, answer } } };
    return createRequestHandler({ routePrefix: "", push, fixed, metrics, onError });
  },
  router: (answer, onError) => {
    const sources = {
      members: () => ({}),
      isMember: () => true,
      ringFingerprint: () => 0,
      panic: () => false,
      inFlight: () => [],
      clientConnections: () => 0,
      misplacedGroups: () => 0,
      forgottenGroups: () => 0,
    };
    const metrics = new RouterMetrics("test", sources, PROCESS);
    return createWebHandler({
      push: { handle: () => {} },
      lookup: () => 404,
      fixed: { "/x": { GET: answer } },
      metrics,
      onError,
    });
  },
};

for (const [name, handlerOf] of Object.entries(SERVERS)) {
  test(`The ${name} cuts off an answer that fails when a part of it is sent, and answers 500 before that`, async () => {
    const errors: unknown[] = [];
    let begins = true;
    const answer = async (exchange: HttpExchange) => {
      if (begins) exchange.begin(200, [], "unknown-length");
      exchange.write(Buffer.from("abc"));
      await Promise.reject(new Error("boom"));
    };
    await using server = new TestServer(handlerOf(answer, (error) => errors.push(error)));
    await using client = await RawConnection.open(server.address);
    await client.write(request("GET", "/x"));
    expect(await client.ending()).toBe("reset");

    begins = false;
    await using other = await RawConnection.open(server.address);
    await other.write(request("GET", "/x"));
    expect((await other.readResponse()).status).toBe(500);
    expect(errors).toHaveLength(2);
  });
}
