import { join } from "node:path";
import { REPOSITORY } from "../support/parts.ts";
import { runCommand, tryCommand } from "../support/run-command.ts";
import { waitFor } from "../support/wait-for.ts";
import { copiesAt } from "./copies.ts";
import type { Scene } from "./oracle.ts";
import type { ScenarioMember } from "./scenario-member.ts";

/** The figures of a member are as old as the last audit, so that a scenario does not wait five minutes for them. */
export const DRAIN_CONFIG = { groups: { audit_interval: "5s" } };

const LAUNCHER = join(REPOSITORY, "bin/dynamic-sharding");
const DRAIN_DEADLINE_MS = 40_000;
/** A group that is pushed at the moment of an evacuation moves by itself, and the command says that it is left. */
const EVACUATIONS = 3;

/**
 * Takes draining members out of service as docs/operations.md has it: waits until nothing is left there but what nobody pushes,
 * has the first router move that, and waits until both routers say that nothing is left.
 */
export async function emptyDrainingMembers(scene: Scene, draining: readonly ScenarioMember[]): Promise<void> {
  await waitForQuietGroupsOnly(scene, draining);
  let moved = 0;
  for (const { address } of draining) moved += await evacuate(scene, address);
  if (moved === 0) throw new Error("Cannot tell whether groups can be evacuated: there were none");
  await waitFor("the routers to have nothing left on the draining members", () => isNothingLeft(scene, draining), {
    timeoutMs: DRAIN_DEADLINE_MS,
  });
}

/** Until what the members hold, and what each router says that they do, are the groups without pushes. */
async function waitForQuietGroupsOnly({ cluster, load }: Scene, draining: readonly ScenarioMember[]): Promise<void> {
  const paces = new Map(load.groups.map(({ key, pace }) => [key, pace]));
  const isDone = async () => {
    const held = [...(await copiesAt(draining)).keys()];
    const pushed = held.filter((key) => paces.get(key) !== "quiet");
    if (pushed.length > 0) throw new Error(`they still have ${pushed.slice(0, 3).join(" ")}`);
    for (const router of cluster.routers) {
      const misplaced = sum((await cluster.holdings(draining, router)).map((member) => member.misplaced));
      if (misplaced !== held.length) throw new Error(`${router.address} counts ${misplaced} instead of ${held.length}`);
    }
    return true;
  };
  await waitFor("groups that are pushed to leave the draining members", isDone, { timeoutMs: DRAIN_DEADLINE_MS });
}

async function isNothingLeft({ cluster }: Scene, draining: readonly ScenarioMember[]): Promise<boolean> {
  for (const router of cluster.routers) {
    for (const { address, groups, misplaced } of await cluster.holdings(draining, router)) {
      if (groups !== 0 || misplaced !== 0) {
        throw new Error(`${router.address} says of ${address}: ${groups} groups, ${misplaced} misplaced`);
      }
    }
  }
  return true;
}

async function evacuate({ cluster }: Scene, address: string): Promise<number> {
  const [router] = cluster.routers;
  const argv = [LAUNCHER, "evacuate", address, `--router.url=${router?.url}`, "--output=json"];
  let moved = 0;
  for (let i = 1; i < EVACUATIONS; i++) {
    const { stdout } = await tryCommand(argv);
    const result = JSON.parse(stdout) as { readonly moved: number; readonly left: number };
    moved += result.moved;
    if (result.left === 0) return moved;
  }
  return moved + (JSON.parse(await runCommand(argv)) as { readonly moved: number }).moved;
}

function sum(numbers: readonly (number | null)[]): number {
  return numbers.reduce((total: number, number) => total + (number ?? 0), 0);
}
