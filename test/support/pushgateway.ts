import { freePort } from "./free-port.ts";
import { part } from "./parts.ts";
import { answersOk, ServerProcess } from "./server-process.ts";

export interface PushgatewayOptions {
  /** 1.11.0 when absent. */
  readonly version?: "1.5.1" | "1.11.0";
  /** 127.0.0.1 when absent; other addresses of 127.0.0.0/8 put several Pushgateways on one port. */
  readonly host?: string;
  /** A free one when absent. */
  readonly port?: number;
  readonly flags?: readonly string[];
  /** Nothing is persisted when absent. */
  readonly persistenceFile?: string;
  /** /-/ready when absent. */
  readonly readyPath?: string;
  /** As much as there is when absent. */
  readonly maxAddressSpaceKib?: number;
}

/** A real Pushgateway. */
export class Pushgateway extends ServerProcess {
  readonly host: string;
  readonly port: number;
  /** host:port */
  readonly address: string;
  readonly url: string;
  /** Empty: nothing is persisted. */
  readonly persistenceFile: string;

  constructor(binary: string, options: PushgatewayOptions) {
    const host = options.host ?? "127.0.0.1";
    const port = options.port ?? freePort(host);
    const address = `${host}:${port}`;
    const persistenceFile = options.persistenceFile ?? "";
    super({
      name: `Pushgateway ${address}`,
      // Debian's build persists to a path shared by the whole machine unless told otherwise.
      argv: [
        ...limitOf(options.maxAddressSpaceKib),
        binary,
        `--web.listen-address=${address}`,
        `--persistence.file=${persistenceFile}`,
        ...(options.flags ?? []),
      ],
      ready: () => answersOk(`http://${address}${options.readyPath ?? "/-/ready"}`),
    });
    this.host = host;
    this.port = port;
    this.address = address;
    this.url = `http://${address}`;
    this.persistenceFile = persistenceFile;
  }
}

/** What to put before a command so that it gets no more address space. */
function limitOf(maxAddressSpaceKib: number | undefined): readonly string[] {
  if (maxAddressSpaceKib === undefined) return [];
  return ["sh", "-c", 'ulimit -v "$0" && exec "$@"', String(maxAddressSpaceKib)];
}

/** Starts a Pushgateway and waits until it is ready. */
export async function startPushgateway(options: PushgatewayOptions = {}): Promise<Pushgateway> {
  const server = new Pushgateway(await part(`pushgateway-${options.version ?? "1.11.0"}`), options);
  await server.start();
  return server;
}

/** Starts as many Pushgateways on one port, at 127.0.0.2, 127.0.0.3 and so on, as the predecessor's configuration wants them. */
export async function startPushgateways(
  count: number,
  options: Omit<PushgatewayOptions, "host" | "port" | "persistenceFile"> = {},
): Promise<readonly Pushgateway[]> {
  const hosts = Array.from({ length: count }, (_, index) => `127.0.0.${index + 2}`);
  const port = freePort(...hosts);
  return await Promise.all(hosts.map((host) => startPushgateway({ ...options, host, port })));
}
