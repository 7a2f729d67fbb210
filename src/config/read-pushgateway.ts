import { parseServerAddress } from "./address.ts";
import type { PushgatewayConfig } from "./config.ts";
import type { ConfigSection } from "./config-section.ts";

/** Pushgateway's own default port. */
const DEFAULT_PORT = 9091;

/** The Pushgateways that the file names. `hasConsul` tells whether others may be found besides. */
export function readPushgateway(section: ConfigSection, hasConsul: boolean): PushgatewayConfig {
  const port = section.integer("port", DEFAULT_PORT, { min: 1, max: 65_535 });
  const servers = readAddresses(section, "servers", port);
  const draining = readAddresses(section, "draining", port);
  if (!hasConsul && servers !== undefined) checkDraining(section, servers, draining ?? []);
  return {
    servers: (servers ?? []).filter((address) => address !== undefined),
    draining: (draining ?? []).filter((address) => address !== undefined),
    enableUtf8Names: section.boolean("enable_utf8_names", false),
  };
}

/** An entry is undefined where the item is no address, so that an index is a position in the file. */
type Addresses = readonly (string | undefined)[];

function readAddresses(section: ConfigSection, key: string, port: number): Addresses | undefined {
  const addresses = section.list(key, (text) => parseServerAddress(text, port));
  addresses?.forEach((address, index) => {
    if (address === undefined) return;
    const first = addresses.findIndex((other) => sameTarget(other, address));
    if (first !== index) section.problem(key, `"${address}" is already ${key}[${first}]; remove one`, index);
  });
  return addresses;
}

function checkDraining(section: ConfigSection, servers: Addresses, draining: Addresses): void {
  draining.forEach((address, index) => {
    if (address !== undefined && !servers.some((server) => sameTarget(server, address))) {
      section.problem("draining", `"${address}" is not one of pushgateway.servers; add it there too`, index);
    }
  });
  if (servers.length > 0 && servers.every((server) => draining.some((address) => sameTarget(server, address)))) {
    section.problem("draining", "every server is draining, so no push could be taken; leave at least one out");
  }
}

/** Host names do not distinguish case. */
function sameTarget(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && a.toLowerCase() === b?.toLowerCase();
}
