import { expect, test } from "bun:test";
import { join } from "node:path";
import { startPushgatewayProcess } from "../support/embedded-pushgateway.ts";
import { type Groups, groupsOf, mergedGroups } from "../support/groups.ts";
import type { PartName } from "../support/part-recipes.ts";
import { CACHE, describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateway, startPushgateways } from "../support/pushgateway.ts";
import { type RouterProcess, startRouterProcess } from "../support/router.ts";

export const MODES = ["proxy", "redirect", "auto"] as const;
export type Mode = (typeof MODES)[number];

/** A push client as its users run it. */
export interface PushClient {
  readonly name: string;
  readonly parts: readonly PartName[];
  /** The modes in which the router serves it; a client that follows no 307 has no "redirect". */
  readonly modes: readonly Mode[];
  /** Made once, before the first push; a compiler runs here. */
  readonly prepare?: () => Promise<void>;
  /** Pushes, adds to and deletes groups at a URL, the same ones each time. Throws when one push is not acknowledged. */
  readonly run: (url: string) => Promise<void>;
  /** How many groups `run` leaves behind: guards against a client that does nothing, twice. */
  readonly groups: number;
  /** How many of its pushes the router redirects in each mode; what is proxied is not counted. */
  readonly redirected: Readonly<Partial<Record<Mode, number>>>;
}

const TEST_DEADLINE_MS = 120_000;
/** A Pushgateway answers a DELETE before it has carried it out. */
const SETTLE_DEADLINE_MS = 5_000;

/** Three real Pushgateways behind a router, and one beside it that is pushed to directly. */
export interface Cluster extends AsyncDisposable {
  readonly router: RouterProcess;
  readonly members: readonly Pushgateway[];
  readonly reference: Pushgateway;
}

export async function startCluster(mode: Mode): Promise<Cluster> {
  const stack = new AsyncDisposableStack();
  try {
    const members = await startPushgateways(3);
    for (const member of members) stack.use(member);
    const reference = stack.use(await startPushgateway());
    const servers = members.map((member) => member.host);
    const config = { pushgateway: { port: members[0]?.port, servers }, routing: { mode } };
    const router = stack.use(await startRouterProcess({ config }));
    return { router, members, reference, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Where programs built for these tests go; survives the run. */
export function buildFolder(client: string): string {
  return join(CACHE, "clients", client);
}

/** The tests that every client passes, in each mode that it can be served in. */
export async function describePushClient(client: PushClient): Promise<void> {
  await describeWithParts([...client.parts, "pushgateway-1.11.0"], client.name, () => {
    let prepared: Promise<void> | undefined;
    test.each([...client.modes])(
      "leaves the same on three Pushgateways as on one (mode %s)",
      async (mode) => {
        prepared ??= client.prepare?.();
        await prepared;
        await using cluster = await startCluster(mode);
        await client.run(cluster.router.url);
        await client.run(cluster.reference.url);
        const urls = cluster.members.map((member) => member.url);
        await expectSameGroups(urls, cluster.reference.url, client.groups);
        await expectAtOwners(cluster.router, client.groups);
        expect(await redirectedPushes(cluster.router)).toBe(client.redirected[mode] ?? 0);
      },
      TEST_DEADLINE_MS,
    );

    test(
      "leaves the same on the embedded Pushgateway as on a real one",
      async () => {
        prepared ??= client.prepare?.();
        await prepared;
        await using embedded = await startPushgatewayProcess();
        await using reference = await startPushgateway();
        await client.run(embedded.url);
        await client.run(reference.url);
        await expectSameGroups([embedded.url], reference.url, client.groups);
      },
      TEST_DEADLINE_MS,
    );
  });
}

async function expectSameGroups(urls: readonly string[], referenceUrl: string, count: number): Promise<void> {
  const deadline = performance.now() + SETTLE_DEADLINE_MS;
  for (;;) {
    const [expected, actual] = await Promise.all([groupsOf(referenceUrl), mergedGroups(urls)]);
    const settled = Bun.deepEquals(asObject(expected), asObject(actual.groups)) && expected.size === count;
    if (!settled && performance.now() < deadline) {
      await Bun.sleep(25);
      continue;
    }
    expect(asObject(actual.groups)).toEqual(asObject(expected));
    expect(Object.fromEntries(actual.doubled)).toEqual({});
    expect(expected.size).toBe(count);
    return;
  }
}

async function expectAtOwners({ url }: RouterProcess, count: number): Promise<void> {
  const { data } = (await (await fetch(`${url}/api/v1/groups`)).json()) as {
    data: { groups: readonly { path: string; owner: string; holders: readonly { address: string }[] }[] };
  };
  expect(data.groups.length).toBe(count);
  for (const { path, owner, holders } of data.groups) {
    expect([path, holders.map(({ address }) => address)]).toEqual([path, [owner]]);
  }
}

function asObject(groups: Groups): Record<string, unknown> {
  return Object.fromEntries(groups);
}

/** What the router counted as answered by a redirect. */
async function redirectedPushes(router: RouterProcess): Promise<number> {
  const text = await (await fetch(`${router.url}/metrics`)).text();
  const samples = [...text.matchAll(/^dynamic_sharding_pushes_total\{([^}]*)\} (\S+)$/gm)];
  expect(samples.length).toBeGreaterThan(0);
  return samples
    .filter(([, labels]) => labels?.includes('mode="redirect"'))
    .reduce((sum, [, , value]) => sum + Number(value), 0);
}
