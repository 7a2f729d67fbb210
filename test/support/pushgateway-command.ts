import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { REPOSITORY } from "./parts.ts";
import { answersOk, ServerProcess } from "./server-process.ts";

/** `dynamic-sharding pushgateway` as a process of its own, started as a user does it. */
export class PushgatewayCommand extends ServerProcess {
  readonly url: string;

  constructor(flags: readonly string[]) {
    const address = `127.0.0.1:${freePort()}`;
    super({
      name: `dynamic-sharding pushgateway ${address}`,
      argv: [join(REPOSITORY, "bin/dynamic-sharding"), "pushgateway", `--web.listen-address=${address}`, ...flags],
      ready: () => answersOk(`http://${address}/-/ready`),
    });
    this.url = `http://${address}`;
  }

  async request(method: string, path: string, body?: string): Promise<Response> {
    return await fetch(`${this.url}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(10_000),
    });
  }

  /** The lines of /metrics without those of the server itself. */
  async groupLines(): Promise<readonly string[]> {
    const text = await (await this.request("GET", "/metrics")).text();
    return text.split("\n").filter((line) => !/^(?:# \w+ )?(?:pushgateway|process)_/.test(line));
  }
}
