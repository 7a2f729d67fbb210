import { join } from "node:path";
import { stringify } from "yaml";
import { freePort } from "./free-port.ts";
import { part } from "./parts.ts";
import { answersOk, ServerProcess, temporaryFolder } from "./server-process.ts";

export interface PrometheusOptions {
  /** Entries of `scrape_configs`. */
  readonly scrapeConfigs: readonly Readonly<Record<string, unknown>>[];
  /** Further top-level keys; `global` replaces the default of one scrape each second. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** 2.42 when absent. Debian's build of 2.42 knows http_sd and no consul_sd, its 2.24 the other way round. */
  readonly version?: "2.24" | "2.42";
  readonly port?: number;
  readonly flags?: readonly string[];
}

/** One series of an instant query's answer. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One series and its samples: pairs of Unix time in seconds and value. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, number])[];
}

interface ApiSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

function seriesOf({ metric, values }: ApiSeries): Series {
  return { labels: metric, values: values.map(([time, value]) => [time, Number(value)] as const) };
}

/** A real Prometheus server. */
export class Prometheus extends ServerProcess {
  readonly address: string;
  readonly url: string;

  constructor(argv: readonly string[], folder: string, address: string) {
    super({
      name: `Prometheus ${address}`,
      argv,
      folders: [folder],
      ready: () => answersOk(`http://${address}/-/ready`),
    });
    this.address = address;
    this.url = `http://${address}`;
  }

  /** An instant query; an empty list when nothing matches. */
  async query(promql: string): Promise<readonly Sample[]> {
    const result = await this.#api<{ metric: Record<string, string>; value: [number, string] }[]>("query", {
      query: promql,
    });
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** A range query over Unix times in seconds. */
  async queryRange(promql: string, start: number, end: number, step: number): Promise<readonly Series[]> {
    const query = { query: promql, start: String(start), end: String(end), step: String(step) };
    const result = await this.#api<ApiSeries[]>("query_range", query);
    return result.map(seriesOf);
  }

  /** The samples of the last so many seconds as they were scraped, without any interpolation. */
  async samples(selector: string, seconds: number): Promise<readonly Series[]> {
    const query = { query: `${selector}[${seconds}s]` };
    const result = await this.#api<ApiSeries[]>("query", query);
    return result.map(seriesOf);
  }

  async #api<T>(call: string, parameters: { readonly query: string } & Record<string, string>): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${call}?${new URLSearchParams(parameters)}`, {
      signal: AbortSignal.timeout(10_000),
    });
    const answer = (await response.json()) as { status: string; error?: string; data: { result: T } };
    if (answer.status !== "success") throw new Error(`Cannot query "${parameters.query}": ${answer.error}`);
    return answer.data.result;
  }
}

/** Starts a Prometheus that scrapes each second, and waits until it is ready. */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const binary = await part(options.version === "2.24" ? "prometheus-2.24" : "prometheus");
  const folder = await temporaryFolder("prometheus");
  const file = join(folder, "prometheus.yml");
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    ...options.config,
    scrape_configs: options.scrapeConfigs,
  };
  await Bun.write(file, stringify(config));
  const address = `127.0.0.1:${options.port ?? freePort()}`;
  const argv = [
    binary,
    `--config.file=${file}`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=${address}`,
    "--web.enable-lifecycle",
    ...(options.flags ?? []),
  ];
  const server = new Prometheus(argv, folder, address);
  await server.start();
  return server;
}
