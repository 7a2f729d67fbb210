import type { Consul } from "../support/consul.ts";
import type { RouterProcess } from "../support/router.ts";
import type { ScenarioMember } from "./scenario-member.ts";

const API_DEADLINE_MS = 5_000;

/** What a router is to be told about the members. */
export interface View {
  readonly servers: readonly ScenarioMember[];
  readonly draining?: readonly ScenarioMember[];
}

/** A configuration that makes it know them, with checks that notice soon what happens to them. */
export function routerConfig(
  { servers, draining = [] }: View,
  consul: Consul | undefined,
): Readonly<Record<string, unknown>> {
  return {
    ...(consul && { consul_server: { addr: consul.address } }),
    pushgateway: {
      servers: servers.map(({ address }) => address),
      draining: draining.map(({ address }) => address),
    },
    health_check: { interval: "1s", timeout: "1s" },
  };
}

interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: { readonly __meta_dynamic_sharding_state: string };
}

/** What a router says about a member. */
export interface MemberStatus {
  readonly address: string;
  readonly state: string;
  readonly reason: string;
  /** As of the last audit; null before the first. */
  readonly groups: number | null;
  /** Those that belong to other members; null before the first audit. */
  readonly misplaced: number | null;
}

export async function membersOf({ url }: RouterProcess): Promise<readonly MemberStatus[]> {
  return (await get<{ data: { members: MemberStatus[] } }>(`${url}/api/v1/members`)).data.members;
}

/** Addresses that the router would have Prometheus scrape. */
export async function scrapedBy({ url }: RouterProcess): Promise<ReadonlySet<string>> {
  const groups = await get<readonly TargetGroup[]>(`${url}/sd/pushgateways`);
  const up = groups.filter(({ labels: { __meta_dynamic_sharding_state: state } }) => state !== "down");
  return new Set(up.flatMap(({ targets }) => targets));
}

/** All samples of the router's own metrics, by name and labels. */
export async function metricsOf({ url }: RouterProcess): Promise<readonly [string, number][]> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(API_DEADLINE_MS) });
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const space = line.lastIndexOf(" ");
    return [line.slice(0, space), Number(line.slice(space))];
  });
}

async function get<T>(url: string): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(API_DEADLINE_MS) });
  if (!response.ok) throw new Error(`Cannot get "${url}": ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}
