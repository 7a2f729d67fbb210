import { createLogger } from "../../src/log.ts";
import type { MemberSet } from "../../src/membership/member-set.ts";
import { Carrier } from "../../src/placement/carrier.ts";
import { CleanUp } from "../../src/placement/clean-up.ts";
import { ClusterLister } from "../../src/placement/cluster-lister.ts";
import { CopyRemoval } from "../../src/placement/copy-removal.ts";
import { Directory } from "../../src/placement/directory.ts";
import { Doubts } from "../../src/placement/doubts.ts";
import { GroupReader } from "../../src/placement/group-reader.ts";
import { KeyGates } from "../../src/placement/key-gates.ts";
import { MemberClocks } from "../../src/placement/member-clocks.ts";
import { Pace } from "../../src/placement/pace.ts";
import { PushJournal } from "../../src/placement/push-journal.ts";
import { Thaws } from "../../src/placement/thaws.ts";
import { FeatureDetection } from "../../src/pushgateway/feature-detection.ts";
import { PushgatewayClients } from "../../src/pushgateway/pushgateway-clients.ts";
import { WorkSlices } from "../../src/work-slices.ts";

export interface RemovalPartsOptions {
  readonly members: () => MemberSet | undefined;
  /** Copies that are deleted from one member within a second. */
  readonly rate: number;
}

/** What a router finds copies and takes them away with. It knows nothing but what it sees, and no push is on its way. */
export interface RemovalParts {
  readonly members: () => MemberSet | undefined;
  readonly isInFlight: () => boolean;
  readonly slices: WorkSlices;
  readonly directory: Directory;
  readonly lister: ClusterLister;
  readonly journal: PushJournal;
  readonly removal: CopyRemoval;
}

/** The parts' connections are closed with the stack. */
export function removalParts(stack: AsyncDisposableStack, { members, rate }: RemovalPartsOptions): RemovalParts {
  const nop = () => {};
  const times = { stallTimeoutMs: 5_000, probeTimeoutMs: 1_000, probePath: "/-/healthy" };
  const clients = new PushgatewayClients({ maxInFlight: 16, maxQueued: 16, ...times, onUnreachable: nop });
  stack.defer(() => clients.close());
  const [directory, clocks, slices] = [new Directory(), new MemberClocks(), new WorkSlices()];
  const lister = new ClusterLister({ clocks, slices, onUnreadable: nop });
  const shared = { members, isInFlight: () => false, slices, directory, lister, journal: new PushJournal() };
  const context = {
    ...shared,
    clients,
    clocks,
    doubts: new Doubts(directory, new Thaws()),
    reader: new GroupReader(async () => new Map()),
    features: new FeatureDetection(),
    utf8Names: () => false,
    observer: { copyRemoved: nop, familiesCarried: nop, cleanUpFailed: nop, audited: nop },
    log: createLogger({ level: "error", format: "logfmt", write: nop }),
  };
  const cleanUp = new CleanUp(context);
  const carrier = new Carrier({ ...context, cleanUp });
  const removal = new CopyRemoval({ ...shared, cleanUp, carrier, gates: new KeyGates(), pace: new Pace(() => rate) });
  return { ...shared, removal };
}
