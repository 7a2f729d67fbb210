import { formatListenAddress } from "./config/address.ts";
import { formatByteSize } from "./config/byte-size.ts";
import { type EmbeddedPushgateway, type PushgatewayOptions, startPushgateway } from "./embedded/pushgateway-app.ts";
import type { PushgatewayFlags } from "./flags.ts";
import { formatGoDuration } from "./go-duration.ts";
import type { Logger } from "./log.ts";
import type { ProcessStats } from "./metrics.ts";

export interface PushgatewayContext {
  readonly log: Logger;
  readonly version: string;
  readonly process: ProcessStats;
  /** Asks for the end of the process. */
  readonly requestStop: (reason: string) => void;
}

/** Starts the Pushgateway that the command line describes. */
export function startPushgatewayCommand(
  flags: PushgatewayFlags,
  { log, version, process, requestStop }: PushgatewayContext,
): Promise<EmbeddedPushgateway> {
  const onQuit = () => requestStop("asked for by /-/quit");
  return startPushgateway({
    listen: flags.listenAddresses,
    routePrefix: routePrefixOf(flags),
    telemetryPath: flags.telemetryPath,
    onQuit: flags.enableLifecycle ? onQuit : undefined,
    enableAdminApi: flags.enableAdminApi,
    utf8Names: flags.enableUtf8Names,
    reportsInconsistency: !flags.disableConsistencyCheck,
    maxBodyBytes: flags.maxBodyBytes,
    persistence: persistenceOf(flags),
    flags: statusFlags(flags),
    log,
    version,
    process,
  });
}

/** With a slash before it and none behind it, as Pushgateway reads it. */
function routePrefixOf({ routePrefix, externalUrl }: PushgatewayFlags): string {
  const prefix = routePrefix === "" && externalUrl !== "" ? new URL(externalUrl, "http://host").pathname : routePrefix;
  const parts = prefix.replaceAll(/^\/+|\/+$/g, "");
  return parts === "" ? "" : `/${parts}`;
}

function persistenceOf(flags: PushgatewayFlags): PushgatewayOptions["persistence"] {
  const { persistenceFile: file, persistenceSync: sync, persistenceIntervalMs: intervalMs } = flags;
  return file === "" ? undefined : { file, sync, intervalMs };
}

/** The flags as Pushgateway's status shows them. */
function statusFlags(flags: PushgatewayFlags): Readonly<Record<string, string>> {
  return {
    "log.format": flags.logFormat,
    "log.level": flags.logLevel,
    "persistence.file": flags.persistenceFile,
    "persistence.interval": formatGoDuration(flags.persistenceIntervalMs),
    "persistence.sync": flags.persistenceSync,
    "push.disable-consistency-check": String(flags.disableConsistencyCheck),
    "push.enable-utf8-names": String(flags.enableUtf8Names),
    "push.max-body-size": formatByteSize(flags.maxBodyBytes),
    "web.enable-admin-api": String(flags.enableAdminApi),
    "web.enable-lifecycle": String(flags.enableLifecycle),
    "web.external-url": flags.externalUrl,
    "web.listen-address": flags.listenAddresses.map(formatListenAddress).join(","),
    "web.route-prefix": flags.routePrefix,
    "web.telemetry-path": flags.telemetryPath,
  };
}
