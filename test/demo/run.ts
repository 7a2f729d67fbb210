/**
 * `npm run demo`: two routers over three Pushgateways, found through Consul, scraped by Prometheus, under a small stream of
 * pushes. All of them real, all on loopback. Ctrl-C stops everything and leaves nothing behind.
 */
import { type Consul, startConsul } from "../support/consul.ts";
import { type Prometheus, startPrometheus } from "../support/prometheus.ts";
import { type Pushgateway, startPushgateways } from "../support/pushgateway.ts";
import { type RouterProcess, startRouterProcess } from "../support/router.ts";
import { PushStream } from "./push-stream.ts";

const REPORT_INTERVAL_MS = 10_000;

interface Demo {
  readonly consul: Consul;
  readonly pushgateways: readonly Pushgateway[];
  readonly routers: readonly RouterProcess[];
  /** Finds the Pushgateways by asking Consul. */
  readonly byConsul: Prometheus;
  /** Finds the Pushgateways by asking a router. */
  readonly byRouter: Prometheus;
}

async function main(): Promise<number> {
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupted.abort());
  await using running = new AsyncDisposableStack();
  try {
    await runUntil(interrupted.signal, running);
    return 0;
  } catch (error) {
    if (interrupted.signal.aborted) return 0;
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    console.log("Stopping …");
  }
}

async function runUntil(interrupted: AbortSignal, running: AsyncDisposableStack): Promise<void> {
  console.log("Starting … (the first time, the programs are fetched from the machine's Debian mirror)");
  const demo = await startAll(interrupted, running);
  const stream = running.use(new PushStream(demo.routers.map((router) => router.url)));
  console.log(introduction(demo));
  const report = setInterval(() => console.log(stream.report()), REPORT_INTERVAL_MS);
  running.defer(() => clearInterval(report));
  await new Promise<void>((resolve) => {
    if (interrupted.aborted) resolve();
    interrupted.addEventListener("abort", () => resolve());
  });
}

async function startAll(interrupted: AbortSignal, running: AsyncDisposableStack): Promise<Demo> {
  const started = <T extends AsyncDisposable>(server: T): T => {
    running.use(server);
    interrupted.throwIfAborted();
    return server;
  };
  const consul = started(await startConsul());
  const pushgateways = (await startPushgateways(3)).map(started);
  const config = {
    consul_server: { addr: consul.address, register_service_name: "pushgateway" },
    pushgateway: { port: pushgateways[0]?.port, servers: pushgateways.map((member) => member.host) },
  };
  const routers = [started(await startRouterProcess({ config })), started(await startRouterProcess({ config }))];
  const byConsul = started(
    await startPrometheus({
      version: "2.24",
      scrapeConfigs: scrapeConfigs(routers, {
        consul_sd_configs: [{ server: consul.address, services: ["pushgateway"], refresh_interval: "2s" }],
      }),
    }),
  );
  const byRouter = started(
    await startPrometheus({
      scrapeConfigs: scrapeConfigs(routers, {
        http_sd_configs: [{ url: `${routers[0]?.url}/sd/pushgateways`, refresh_interval: "2s" }],
      }),
    }),
  );
  return { consul, pushgateways, routers, byConsul, byRouter };
}

type ScrapeConfig = Readonly<Record<string, unknown>>;

function scrapeConfigs(routers: readonly RouterProcess[], discovery: ScrapeConfig): readonly ScrapeConfig[] {
  return [
    { job_name: "pushgateways", honor_labels: true, ...discovery },
    { job_name: "routers", static_configs: [{ targets: routers.map((router) => router.address) }] },
  ];
}

function introduction(demo: Demo): string {
  const { consul, pushgateways, routers, byConsul, byRouter } = demo;
  const router = routers[0]?.url;
  const group = "/metrics/job/mine/instance/here";
  const query = new URLSearchParams({ "g0.expr": "demo_last_run_records", "g0.tab": "1" });
  return `
Routers       ${routers.map(({ url }) => url).join("  ")}
Pushgateways  ${pushgateways.map(({ url }) => url).join("  ")}
Consul        ${consul.url}/v1/health/service/pushgateway
Prometheus    ${byConsul.url}/graph?${query}   (finds the Pushgateways by consul_sd)
Prometheus    ${byRouter.url}/graph?${query}   (finds the Pushgateways by http_sd, from a router)

Try, in another terminal:
  echo 'answer 42' | curl --data-binary @- ${router}${group}
  curl '${router}/api/v1/owner?path=${group}'
  curl ${router}/api/v1/members
  curl ${router}/sd/pushgateways
  curl -X DELETE ${router}${group}
  kill -9 ${pushgateways[0]?.pid}   # a Pushgateway dies, and no push fails

Ctrl-C stops everything.
`;
}

process.exitCode = await main();
