import { join } from "node:path";
import { PushgatewayProcess } from "../support/embedded-pushgateway.ts";
import { part } from "../support/parts.ts";
import { Pushgateway } from "../support/pushgateway.ts";

/** A Pushgateway of a scenario, of whatever make. */
export interface ScenarioMember extends AsyncDisposable {
  readonly host: string;
  readonly address: string;
  readonly url: string;
  /** In Pushgateway's format. Undefined: whatever the member acknowledges is on the disk, and outlives it. */
  readonly persistenceFile?: string;
  readonly running: boolean;
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  freeze(): Promise<void>;
  exited(): Promise<number | NodeJS.Signals>;
}

/** Where a member is to be, and where it may keep its groups. */
export interface MemberPlace {
  readonly index: number;
  readonly host: string;
  readonly port: number;
  readonly folder: string;
}

const VERSIONS = ["1.11.0", "1.5.1"] as const;
/** So short that a Pushgateway that is killed has written all but its last pushes. */
const PERSISTENCE_INTERVAL = "100ms";

/** A real Pushgateway, not yet started, with a persistence file; old and new ones take turns. */
export async function pushgatewayAt({ index, host, port, folder }: MemberPlace): Promise<ScenarioMember> {
  const version = VERSIONS[index % VERSIONS.length] ?? VERSIONS[0];
  return new Pushgateway(await part(`pushgateway-${version}`), {
    host,
    port,
    persistenceFile: join(folder, `pushgateway-${index}`),
    flags: [`--persistence.interval=${PERSISTENCE_INTERVAL}`],
  });
}

/** One of ours, not yet started, that loses nothing when it is killed. */
export async function embeddedPushgatewayAt({ index, host, port, folder }: MemberPlace): Promise<ScenarioMember> {
  const flags = [`--persistence.file=${join(folder, `embedded-${index}.db`)}`, "--persistence.sync=push"];
  return new PushgatewayProcess(flags, { host, port });
}
