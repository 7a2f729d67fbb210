import { afterAll, beforeAll } from "bun:test";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { type Pushgateway, type PushgatewayOptions, startPushgateway } from "../support/pushgateway.ts";

/** To be used by tests only: before the first one nothing is there. */
export interface RealAndOwn {
  readonly real: Pushgateway;
  readonly own: LocalPushgateway;
}

/** Has a real Pushgateway, 1.11.0 unless told otherwise, and one of ours run for the tests of the block that calls this. */
export function startRealAndOwn(
  ofReal: PushgatewayOptions = {},
  ofOwn: Parameters<typeof LocalPushgateway.start>[0] = {},
): RealAndOwn {
  let real: Pushgateway | undefined;
  let own: LocalPushgateway | undefined;
  beforeAll(async () => {
    real = await startPushgateway(ofReal);
    own = await LocalPushgateway.start(ofOwn);
  });
  afterAll(async () => {
    await real?.stop();
    await own?.stop();
  });
  return {
    get real() {
      return started(real);
    },
    get own() {
      return started(own);
    },
  };
}

function started<Server>(server: Server | undefined): Server {
  if (server === undefined) throw new Error("Cannot use a Pushgateway before the tests of its block");
  return server;
}
