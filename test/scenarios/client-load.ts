import { RawConnection } from "../support/raw-http.ts";
import { waitFor } from "../support/wait-for.ts";
import { nextRequest, type Pace, type Request, type ScenarioGroup } from "./scenario-group.ts";

/** Pause between the end of a request and the next one of the same group. */
const PAUSE_MS: Readonly<Record<Pace, number>> = { eager: 40, busy: 900, slow: 6_000, quiet: 150 };
/** Requests of a quiet group; a group that is deleted now and then ends with its DELETE. */
const QUIET_REQUESTS = 6;
/** Longer than any router lets a push wait, so that nothing is under way any more that the client has given up. */
const CLIENT_DEADLINE_MS = 20_000;
const MAX_IDLE = 32;

export interface ClientLoadOptions {
  readonly groups: readonly ScenarioGroup[];
  /** Addresses, host:port. */
  readonly routers: readonly string[];
  /** The router that gets all DELETEs; undefined: they take turns as pushes do. */
  readonly deletesAt: string | undefined;
}

/**
 * Clients that push to the routers by turns and remember what they were told. Each group has one client, which sends its next
 * request only when it knows what became of the last one, so that it is certain what must be there in the end.
 */
export class ClientLoad implements AsyncDisposable {
  readonly groups: readonly ScenarioGroup[];
  readonly #routers: readonly string[];
  readonly #deletesAt: string | undefined;
  readonly #idle = new Map<string, RawConnection[]>();
  readonly #stopped = new AbortController();
  #clients: Promise<unknown> = Promise.resolve();

  constructor({ groups, routers, deletesAt }: ClientLoadOptions) {
    this.groups = groups;
    this.#routers = routers;
    this.#deletesAt = deletesAt;
  }

  start(): void {
    const clients = this.groups.map((group, index) => this.#runClient(group, index / this.groups.length));
    this.#clients = Promise.all(clients);
  }

  /** Waits until every group has been pushed, and the quiet ones for the last time. */
  async waitForFirstRound(): Promise<void> {
    await waitFor(
      "the first pushes",
      () => this.groups.every(({ pace, attempts }) => attempts.length >= (pace === "quiet" ? QUIET_REQUESTS : 1)),
      { timeoutMs: 30_000 },
    );
  }

  /** Waits until each group that is pushed all the time has had a request acknowledged that began after this call. */
  async waitForRound(timeoutMs = 30_000): Promise<void> {
    const since = performance.now();
    const waiting = this.groups.filter(({ pace }) => pace === "busy" || pace === "eager");
    await waitFor(
      "every busy group to be pushed once more",
      () =>
        waiting.every(({ attempts }) =>
          attempts.some(({ startedAt, failure }) => startedAt >= since && failure === undefined),
        ),
      { timeoutMs, intervalMs: 100 },
    );
  }

  /** Begins no more requests and waits for those under way. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#clients;
    for (const idle of this.#idle.values()) {
      for (const connection of idle.splice(0)) await connection[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #runClient(group: ScenarioGroup, phase: number): Promise<void> {
    const pause = PAUSE_MS[group.pace];
    await this.#rest(Math.min(pause, 1_000) * phase);
    while (!this.#stopped.signal.aborted) {
      await this.request(group, nextRequest(group));
      if (group.pace === "quiet" && group.attempts.length >= QUIET_REQUESTS) return;
      await this.#rest(pause);
    }
  }

  /** One request of a group's client, which must have none under way, to the router whose turn it is. */
  async request(group: ScenarioGroup, request: Request): Promise<void> {
    const { attempts } = group;
    const turn = this.#routers[(group.name.length + attempts.length) % this.#routers.length] ?? "";
    const router = request.method === "DELETE" ? (this.#deletesAt ?? turn) : turn;
    group.begun.push(request);
    const startedAt = performance.now();
    const failure = await this.#exchange(router, requestText(router, group, request)).catch(String);
    attempts.push({ ...request, router, startedAt, endedAt: performance.now(), failure });
  }

  async #exchange(router: string, text: string): Promise<string | undefined> {
    const idle = this.#idle.get(router) ?? [];
    this.#idle.set(router, idle);
    const connection = idle.pop() ?? (await RawConnection.open(router, { timeoutMs: CLIENT_DEADLINE_MS }));
    try {
      void connection.write(text);
      const response = await connection.readResponse();
      if (idle.length < MAX_IDLE) idle.push(connection);
      else await connection[Symbol.asyncDispose]();
      if (response.status >= 200 && response.status < 300) return undefined;
      return `${response.status} ${response.text().trim()}`;
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #rest(milliseconds: number): Promise<void> {
    const { signal } = this.#stopped;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal.addEventListener("abort", done);
      if (signal.aborted) done();
    });
  }
}

function requestText(router: string, group: ScenarioGroup, { method, family, value }: Request): string {
  const body = method === "DELETE" ? "" : `# TYPE ${family} gauge\n${family} ${value}\n`;
  return [
    `${method} ${group.path(value % 4 >= 2)} HTTP/1.1`,
    `Host: ${router}`,
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}
