import { startPushgatewayProcess } from "../test/support/embedded-pushgateway.ts";
import { freePort } from "../test/support/free-port.ts";
import { startPushgateway } from "../test/support/pushgateway.ts";
import { waitFor } from "../test/support/wait-for.ts";
import type { BenchContext } from "./bench-context.ts";
import type { BenchRow } from "./bench-row.ts";
import { NO_AUDITS } from "./placement/cluster.ts";
import { MeasuredRouter } from "./placement/measured-router.ts";
import { Owners } from "./placement/owners.ts";
import { groupKey, type Push, PushLoad } from "./placement/push-load.ts";

const MEMBERS = 4;
const COPIES = 20_000;
const CONNECTIONS = 16;
/** The default of `groups.clean_up_rate`. */
const CLEAN_UP_RATE = 500;
const DEADLINE_MS = 400_000;
const LOOK_MS = 500;

/** A Pushgateway as a process that can be frozen. */
interface Member extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

/** How long a member is cleaned that comes back when all of its groups have been pushed elsewhere. */
export async function benchPlacementReturn(context: BenchContext): Promise<readonly BenchRow[]> {
  const address = () => `127.0.0.1:${freePort()}`;
  const startOurs = () => startPushgatewayProcess([`--web.listen-address=${address()}`, "--log.level=error"]);
  const startStock = () => startPushgateway({ flags: ["--push.disable-consistency-check", "--log.level=error"] });
  return [...(await benchReturn(context, "embedded", startOurs)), ...(await benchReturn(context, "stock", startStock))];
}

async function benchReturn(
  { progress, signal }: BenchContext,
  kind: string,
  start: () => Promise<Member>,
): Promise<readonly BenchRow[]> {
  progress(`placement-return: ${COPIES} groups on a member that is frozen, ${kind}`);
  await using stack = new AsyncDisposableStack();
  const members: Member[] = [];
  for (let i = 0; i < MEMBERS; i++) members.push(stack.use(await start()));
  const addresses = members.map(({ url }) => new URL(url).host);
  const [back = ""] = addresses;
  using load = new PushLoad(CONNECTIONS);
  const pushes = pushesOwnedBy(back, addresses);
  await load.pushAll(pushes, signal);
  const router = stack.use(await MeasuredRouter.start({ servers: addresses, auditInterval: NO_AUDITS }));
  process.kill((members[0] as Member).pid, "SIGSTOP");
  try {
    await waitForState(router, back, "down");
    await load.pushAll(
      pushes.map((push) => ({ ...push, address: router.address })),
      signal,
    );
  } finally {
    process.kill((members[0] as Member).pid, "SIGCONT");
  }
  progress(`placement-return: it is back, ${kind}`);
  return await rowsOf(kind, router, back);
}

async function rowsOf(kind: string, router: MeasuredRouter, back: string): Promise<readonly BenchRow[]> {
  const [startedAt, cpuBefore] = [performance.now(), router.usedUs()];
  await waitForState(router, back, "active");
  const seconds = (performance.now() - startedAt) / 1e3;
  const rate = (await router.sample("copies_removed_total")) / seconds;
  const target = { target: `<= ${CLEAN_UP_RATE} copies`, met: rate <= CLEAN_UP_RATE };
  const name = `placement: return with ${COPIES} stale copies, ${kind} member`;
  return [
    { name: `${name}, until it takes pushes`, value: seconds, unit: "s" },
    { name: `${name}, removed in a second`, value: rate, unit: "copies", ...target },
    { name: `${name}, CPU of the router`, value: (router.usedUs() - cpuBefore) / 1e6, unit: "s" },
  ];
}

/** Pushes to the member of groups that it owns. */
function pushesOwnedBy(address: string, addresses: readonly string[]): readonly Push[] {
  const owners = new Owners(addresses);
  const pushes: Push[] = [];
  for (let number = 0; pushes.length < COPIES; number++) {
    const key = groupKey(number);
    if (addresses[owners.of(key)] === address) pushes.push({ address, key });
  }
  return pushes;
}

async function waitForState(router: MeasuredRouter, address: string, state: string): Promise<void> {
  const isThere = async () => {
    const { data } = (await router.getJson("/api/v1/members")) as {
      data: { members: readonly { address: string; state: string }[] };
    };
    return data.members.some((member) => member.address === address && member.state === state);
  };
  await waitFor(`${address} to be ${state}`, isThere, { timeoutMs: DEADLINE_MS, intervalMs: LOOK_MS });
}
