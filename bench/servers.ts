import { join } from "node:path";
import { freePort } from "../test/support/free-port.ts";
import { part } from "../test/support/parts.ts";
import { startRouterProcess } from "../test/support/router.ts";
import { ServerProcess, temporaryFolder } from "../test/support/server-process.ts";

/** A server to be measured: a single process. */
export interface MeasuredServer extends AsyncDisposable {
  readonly pid: number;
  readonly address: string;
}

/** The servers at the end of every push. */
export interface Upstreams extends AsyncDisposable {
  /** Addresses, on one port. */
  readonly members: readonly string[];
}

// More than any benchmark opens at once. nginx allocates them at start, at about 0.4 KiB each.
const NGINX_CONNECTIONS = 4096;
/** nginx closes a connection after so many requests, and 1,000 by default; nobody else here counts them. */
const UNLIMITED = 1_000_000_000;
const STATUS_OF_PROXIED_PUSH = 200;
const STATUS_OF_REDIRECTED_PUSH = 307;

class PeerServer extends ServerProcess implements MeasuredServer {
  readonly address: string;

  constructor(name: string, argv: readonly string[], address: string, status: number, folder?: string) {
    super({
      name: `${name} ${address}`,
      argv,
      ready: async () => (await statusOfPush(address)) === status,
      folders: folder === undefined ? [] : [folder],
    });
    this.address = address;
  }
}

/** The router as users run it, with the settings that it has by default. */
export async function startRouter(mode: "proxy" | "redirect", members: readonly string[]): Promise<MeasuredServer> {
  const config = { pushgateway: { servers: members }, routing: { mode } };
  const expected = mode === "redirect" ? STATUS_OF_REDIRECTED_PUSH : STATUS_OF_PROXIED_PUSH;
  const router = await startRouterProcess({ config, logLevel: "warn" });
  const status = await statusOfPush(router.address);
  if (status === expected) return router;
  await router.stop();
  throw new Error(`Cannot measure the router in mode "${mode}": it answers a push with ${status}, not ${expected}`);
}

/** A server written for comparison: a module of alternatives/, on the Bun that runs this. */
export async function startAlternative(module: string, members: readonly string[]): Promise<MeasuredServer> {
  const port = freePort();
  const file = join(import.meta.dir, "alternatives", module);
  return await start(
    new PeerServer(
      module,
      [process.execPath, file, String(port), ...members],
      `127.0.0.1:${port}`,
      STATUS_OF_PROXIED_PUSH,
    ),
  );
}

/** nginx that redirects each push by the hash of its path. */
export async function startNginxRedirect(members: readonly string[]): Promise<MeasuredServer> {
  const share = (100 / members.length).toFixed(1);
  const splits = members.map((member, i) => `${i === members.length - 1 ? "*" : `${share}%`} ${member};`);
  const address = `127.0.0.1:${freePort()}`;
  const http = `
    split_clients $uri $owner { ${splits.join(" ")} }
    server { listen ${address}; location / { return 307 http://$owner$request_uri; } }`;
  return await startNginx(http, address, STATUS_OF_REDIRECTED_PUSH);
}

/** nginx that proxies each push by the consistent hash of its path, over kept connections. */
export async function startNginxProxy(members: readonly string[]): Promise<MeasuredServer> {
  const address = `127.0.0.1:${freePort()}`;
  const http = `
    upstream pushgateways {
      hash $uri consistent;
      ${members.map((member) => `server ${member};`).join(" ")}
      keepalive 1024;
      keepalive_requests ${UNLIMITED};
    }
    server {
      listen ${address};
      location / { proxy_pass http://pushgateways; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }`;
  return await startNginx(http, address, STATUS_OF_PROXIED_PUSH);
}

/** HAProxy that proxies each push by the consistent hash of its path, over kept connections. */
export async function startHaproxy(members: readonly string[]): Promise<MeasuredServer> {
  const address = `127.0.0.1:${freePort()}`;
  const folder = await temporaryFolder("haproxy");
  const file = join(folder, "haproxy.cfg");
  await Bun.write(
    file,
    `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
frontend pushes
  bind ${address}
  default_backend pushgateways
backend pushgateways
  balance uri
  hash-type consistent
  http-reuse always
${members.map((member, i) => `  server member${i} ${member}`).join("\n")}
`,
  );
  const argv = [await part("haproxy"), "-db", "-f", file];
  return await start(new PeerServer("HAProxy", argv, address, STATUS_OF_PROXIED_PUSH, folder));
}

/** One nginx that answers 200 to everything: faster than a Pushgateway, so that what stands before it is the bottleneck. */
export async function startUpstreams(count: number): Promise<Upstreams> {
  const hosts = Array.from({ length: count }, (_, i) => `127.0.${1 + Math.floor(i / 250)}.${1 + (i % 250)}`);
  const port = freePort(...hosts);
  const members = hosts.map((host) => `${host}:${port}`);
  const listens = members.map((member) => `listen ${member};`).join(" ");
  const server = await startNginx(
    `server { ${listens} location / { return 200; } }`,
    members[0] ?? "",
    STATUS_OF_PROXIED_PUSH,
  );
  return { members, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** nginx as one process without log files, which is the cheapest that it gets. */
async function startNginx(http: string, address: string, status: number): Promise<MeasuredServer> {
  const folder = await temporaryFolder("nginx");
  const file = join(folder, "nginx.conf");
  const temporaryPaths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(" ");
  await Bun.write(
    file,
    `daemon off; master_process off; error_log stderr; pid ${folder}/nginx.pid;
events { worker_connections ${NGINX_CONNECTIONS}; }
http {
  access_log off; keepalive_requests ${UNLIMITED};
  ${temporaryPaths}
  ${http}
}
`,
  );
  const argv = [await part("nginx"), "-e", "stderr", "-p", folder, "-c", file];
  return await start(new PeerServer("nginx", argv, address, status, folder));
}

async function start(server: PeerServer): Promise<PeerServer> {
  await server.start();
  return server;
}

async function statusOfPush(address: string): Promise<number> {
  const response = await fetch(`http://${address}/metrics/job/ready`, {
    method: "PUT",
    body: "a 1\n",
    redirect: "manual",
    signal: AbortSignal.timeout(2_000),
  });
  await response.body?.cancel();
  return response.status;
}
