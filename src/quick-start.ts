import { type Config, namesPushgateways } from "./config/config.ts";
import { type EmbeddedPushgateway, type PushgatewayOptions, startPushgateway } from "./embedded/pushgateway-app.ts";
import { nextFreePort } from "./http/listen.ts";
import { type Router, type RouterOptions, startRouter } from "./router-app.ts";

const PUSHGATEWAYS = 3;
const LOOPBACK = "127.0.0.1";
/** Addresses to listen on that `localhost` reaches wherever it is known. */
const LOCALHOST: ReadonlySet<string> = new Set(["", "::", "0.0.0.0", LOOPBACK, "localhost"]);
/** Pushgateway's own port. The next ones follow. */
const FIRST_PORT = 9091;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

export interface QuickStartOptions extends RouterOptions {
  /** Whether the router may listen on another port when that of the configuration is taken. */
  readonly mayMove: boolean;
  /** Takes what the user should read. */
  readonly print: (text: string) => void;
}

/**
 * Starts a router with three Pushgateways of our own in this process, on loopback and in memory only: everything works, and
 * nothing had to be installed or written. A reload of a file that names Pushgateways puts those in their place.
 */
export async function startQuickly(options: QuickStartOptions): Promise<Router> {
  const pushgateways = await startPushgateways(options);
  const stopPushgateways = () => Promise.all(pushgateways.map((pushgateway) => pushgateway.stop()));
  try {
    const router = await startRouterBefore(pushgateways, options);
    options.log.warn("No Pushgateways are configured, so some of our own keep metrics in memory only", {
      pushgateways: pushgateways.map(({ address }) => address).join(" "),
    });
    options.print(welcome(router, pushgateways, options));
    return {
      url: router.url,
      reload: () => router.reload(),
      async stop() {
        await router.stop();
        await stopPushgateways();
      },
    };
  } catch (error) {
    await stopPushgateways();
    throw error;
  }
}

async function startPushgateways(options: QuickStartOptions): Promise<readonly EmbeddedPushgateway[]> {
  const started: EmbeddedPushgateway[] = [];
  for (let port = FIRST_PORT; started.length < PUSHGATEWAYS; port++) {
    port = nextFreePort(LOOPBACK, port);
    started.push(await startPushgateway(pushgatewayOptions(options, port)));
  }
  return started;
}

/** The router, with these Pushgateways wherever a configuration names none. */
async function startRouterBefore(
  pushgateways: readonly EmbeddedPushgateway[],
  options: QuickStartOptions,
): Promise<Router> {
  const servers = pushgateways.map(({ address }) => address);
  const withServers = (config: Config): Config =>
    namesPushgateways(config) ? config : { ...config, pushgateway: { ...config.pushgateway, servers } };
  const asked = options.config.listen;
  const listen = options.mayMove ? { ...asked, port: nextFreePort(asked.hostname, asked.port) } : asked;
  // A file that still asks for the address that was taken asks for nothing new.
  const withPlace = (config: Config): Config => (Bun.deepEquals(config.listen, asked) ? { ...config, listen } : config);
  const complete = (config: Config) => withPlace(withServers(config));
  return await startRouter({
    ...options,
    config: complete(options.config),
    loadConfig: async () => complete(await options.loadConfig()),
  });
}

function pushgatewayOptions({ config, log, version, process }: RouterOptions, port: number): PushgatewayOptions {
  return {
    listen: [{ hostname: LOOPBACK, port }],
    routePrefix: "",
    telemetryPath: "/metrics",
    onQuit: undefined,
    enableAdminApi: true,
    utf8Names: config.pushgateway.enableUtf8Names,
    reportsInconsistency: true,
    maxBodyBytes: MAX_BODY_BYTES,
    persistence: undefined,
    flags: { "web.listen-address": `${LOOPBACK}:${port}` },
    log,
    version,
    process,
  };
}

/** What to do next, with addresses to copy. */
function welcome(router: Router, pushgateways: readonly EmbeddedPushgateway[], { config }: QuickStartOptions): string {
  const { port } = new URL(router.url);
  const url = LOCALHOST.has(config.listen.hostname) ? `http://localhost:${port}` : router.url;
  const addresses = pushgateways.map(({ address }) => address);
  const moved = [
    ...(Number(port) === config.listen.port || config.listen.port === 0
      ? []
      : [`Port ${config.listen.port} is taken: the router listens on ${port}.`]),
    ...(addresses.at(-1) === `${LOOPBACK}:${FIRST_PORT + PUSHGATEWAYS - 1}`
      ? []
      : [`Not all ports from ${FIRST_PORT} on are free: the Pushgateways listen on the next ones.`]),
  ];
  return `No Pushgateways are configured: ${PUSHGATEWAYS} of our own run in this process and keep metrics in memory.
${moved.map((line) => `${line}\n`).join("")}
  Push to     ${url}/metrics/job/<job>
  Scrape      ${url}/federate, with honor_labels: true
  Members     ${addresses.join(", ")}

  Try         echo 'backup_size_bytes 314159' | curl --data-binary @- ${url}/metrics/job/backup
  and         curl ${url}/federate

Ctrl-C stops it. A configuration file takes it from here: dynamic-sharding.example.yml
`;
}
