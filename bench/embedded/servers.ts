import { join } from "node:path";
import { PushgatewayProcess } from "../../test/support/embedded-pushgateway.ts";
import { startPushgateway } from "../../test/support/pushgateway.ts";
import type { ServerProcess } from "../../test/support/server-process.ts";
import { temporaryFolder } from "../../test/support/server-process.ts";
import type { MeasuredServer } from "../servers.ts";
import { pushGroups } from "./groups.ts";

/** A Pushgateway that is measured: ours, or a real one. */
export type MeasuredPushgateway = MeasuredServer & ServerProcess;

export type PeerVersion = "1.5.1" | "1.11.0";
export const PEER_VERSIONS: readonly PeerVersion[] = ["1.11.0", "1.5.1"];

export function peerName(version: PeerVersion): string {
  return `Pushgateway ${version}`;
}

/** Ours, as users run it. */
export async function startOurs(flags: readonly string[] = []): Promise<MeasuredPushgateway> {
  const server = new PushgatewayProcess(["--log.level=error", ...flags]);
  await server.start();
  return server;
}

export async function startPeer(version: PeerVersion, persistenceFile = ""): Promise<MeasuredPushgateway> {
  return await startPushgateway({ version, persistenceFile, flags: ["--log.level=error"] });
}

/** A folder that holds the groups of a real Pushgateway in a file. */
export interface FilledFile {
  readonly folder: string;
  readonly file: string;
}

/**
 * Has a real Pushgateway save that many groups. It takes them without its check, which costs time in proportion to all that is
 * stored: with it, 100,000 groups would take hours.
 */
export async function saveGroups(version: PeerVersion, count: number, signal: AbortSignal): Promise<FilledFile> {
  const folder = await temporaryFolder("bench-groups");
  const file = join(folder, "groups");
  const flags = ["--log.level=error", "--push.disable-consistency-check"];
  const server = await startPushgateway({ version, persistenceFile: file, flags });
  try {
    await pushGroups(server.address, 0, count, signal);
    server.kill("SIGTERM");
    await server.exited();
  } finally {
    await server.stop();
  }
  return { folder, file };
}
