import { describeError } from "../../log.ts";

/** How to reach a Consul agent, and as whom. */
export interface ConsulAgentOptions {
  /** `host:port`. */
  readonly address: string;
  readonly scheme: "http" | "https";
  /** Sent as HTTP Basic credentials, for agents behind a reverse proxy. */
  readonly basicAuth: { readonly username: string; readonly password: string } | undefined;
  readonly token: string | undefined;
  /**
   * File that holds the token. Read again before every call, so that rotated tokens are picked up. Wins over `token`.
   */
  readonly tokenFile: string | undefined;
  readonly tls: ConsulTlsOptions | undefined;
}

/** PEM texts. */
interface ConsulTlsOptions {
  /** Undefined: the certificate authorities that Bun trusts. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Undefined: the host of the address. */
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
}

export interface ConsulCall {
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Consul could not be asked, or refused. Holds no credentials. */
export class ConsulError extends Error {
  override readonly name = "ConsulError";
  /** Whether the agent itself could not be reached, so that it may have been restarted since. */
  readonly isUnreachable: boolean;

  constructor(message: string, isUnreachable: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.isUnreachable = isUnreachable;
  }
}

const MAX_QUOTED_BODY = 200;

/** Calls of one agent's HTTP API. Every call has a deadline; answers other than 200 are errors that name the remedy. */
export class ConsulClient {
  readonly #options: ConsulAgentOptions;
  readonly #baseUrl: string;

  constructor(options: ConsulAgentOptions) {
    this.#options = options;
    this.#baseUrl = `${options.scheme}://${options.address}`;
  }

  async get(path: string, call: ConsulCall): Promise<{ readonly headers: Headers; readonly body: unknown }> {
    const response = await this.#send("GET", path, call);
    try {
      return { headers: response.headers, body: await response.json() };
    } catch (error) {
      throw this.#unreachable("GET", path, error);
    }
  }

  async put(path: string, call: ConsulCall): Promise<void> {
    const response = await this.#send("PUT", path, call);
    await response.body?.cancel();
  }

  async #send(method: "GET" | "PUT", path: string, call: ConsulCall): Promise<Response> {
    const headers = await this.#headers();
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(call.timeoutMs)]);
    const response = await fetch(`${this.#baseUrl}${path}${queryString(call.query)}`, {
      method,
      headers,
      body: call.body === undefined ? null : JSON.stringify(call.body),
      signal,
      // A redirect could carry the credentials to somebody else.
      redirect: "manual",
      ...this.#tls(),
    }).catch((error: unknown) => {
      throw this.#unreachable(method, path, error);
    });
    if (response.status !== 200) throw await this.#refused(method, path, response);
    return response;
  }

  async #headers(): Promise<Headers> {
    const headers = new Headers();
    const token = await this.#token();
    if (token !== undefined) headers.set("X-Consul-Token", token);
    const { basicAuth } = this.#options;
    if (basicAuth !== undefined) {
      const credentials = Buffer.from(`${basicAuth.username}:${basicAuth.password}`).toString("base64");
      headers.set("Authorization", `Basic ${credentials}`);
    }
    return headers;
  }

  async #token(): Promise<string | undefined> {
    const { token, tokenFile } = this.#options;
    if (tokenFile === undefined) return token;
    try {
      return (await Bun.file(tokenFile).text()).trim();
    } catch (error) {
      throw new ConsulError(`Cannot read the Consul token file "${tokenFile}"`, false, error);
    }
  }

  #tls(): BunFetchRequestInit {
    const { tls } = this.#options;
    if (tls === undefined) return {};
    const { ca, cert, key, serverName } = tls;
    return {
      tls: {
        rejectUnauthorized: !tls.insecureSkipVerify,
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
        ...(serverName !== undefined && { serverName }),
      },
    };
  }

  #unreachable(method: string, path: string, cause: unknown): ConsulError {
    return new ConsulError(`Cannot ${method} "${path}" at Consul "${this.#baseUrl}": ${transportTrouble(cause)}`, true);
  }

  async #refused(method: string, path: string, response: Response): Promise<ConsulError> {
    const { status } = response;
    const text = await response.text().catch(describeError);
    // Consul speaks in plain words; a page of HTML comes from something in between and says no more than its status.
    const said = text.startsWith("<") ? "" : text.replaceAll(/\s+/g, " ").trim().slice(0, MAX_QUOTED_BODY);
    // A reverse proxy in front of the agent says so when it is gone.
    const isUnreachable = status === 502 || status === 503 || status === 504;
    const reason = `${status} ${said}`.trim() + remedy(status);
    return new ConsulError(`Cannot ${method} "${path}" at Consul "${this.#baseUrl}": ${reason}`, isUnreachable);
  }
}

/** Bun's own words for the common troubles are long and ask questions. */
function transportTrouble(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code === "ECONNREFUSED" || code === "ConnectionRefused") return "connection refused";
  if (code === "ECONNRESET" || code === "ConnectionClosed") return "connection closed";
  if (cause instanceof Error && cause.name === "TimeoutError") return "no answer in time";
  return describeError(cause);
}

function queryString(query: ConsulCall["query"] = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, value);
  return parameters.size === 0 ? "" : `?${parameters}`;
}

function remedy(status: number): string {
  if (status === 401) return "; check username and password of consul_server";
  if (status === 403) return "; check that the token of consul_server may do this";
  if (status >= 300 && status < 400) return "; check addr and scheme of consul_server, redirects are not followed";
  return "";
}
