import { formatDuration } from "../config/duration.ts";

/** Which router to ask, and for how long. */
export interface RouterAccess {
  /** Without a slash at its end. */
  readonly routerUrl: string;
  readonly timeoutMs: number;
}

type Parameters = Readonly<Record<string, string | readonly string[]>>;

/**
 * The `data` of a router's answer. Whatever goes wrong is an error that names the router and what to do. The type is taken on
 * trust: docs/api.md has the shapes.
 */
export async function askRouter<T>(
  access: RouterAccess,
  method: "GET" | "POST" | "DELETE",
  path: string,
  parameters: Parameters,
): Promise<T> {
  const response = await request(access, method, `${path}${queryOf(parameters)}`);
  const answer = parseAnswer(response.text);
  if (answer === undefined) throw new Error(describeStranger(access.routerUrl, `${method} ${path}`, response.status));
  if (answer.status !== "success") throw new Error(`The router at ${access.routerUrl} refuses: ${answer.error}`);
  return answer.data as T;
}

interface Answer {
  readonly status: string;
  readonly error?: unknown;
  readonly data?: unknown;
}

async function request(
  { routerUrl, timeoutMs }: RouterAccess,
  method: string,
  target: string,
): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    // Bun gives up after five minutes of its own accord, which is too early for an evacuation.
    const response = await fetch(`${routerUrl}${target}`, { method, signal, timeout: false } as RequestInit);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    // Without its cause, whose text is fetch's own and no help.
    throw new Error(describeFailure(routerUrl, timeoutMs, error as NamedError));
  }
}

interface NamedError {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
}

function describeFailure(routerUrl: string, timeoutMs: number, { name, code, message }: NamedError): string {
  if (name === "TimeoutError") {
    const remedy = "allow more with --timeout, or see its log for what keeps it";
    return `The router at ${routerUrl} has not answered within ${formatDuration(timeoutMs)}: ${remedy}`;
  }
  const isRefused = code === "ECONNREFUSED" || code === "ConnectionRefused";
  const reason = isRefused ? "connection refused" : (message ?? code ?? "no connection");
  return `Cannot reach the router at ${routerUrl}: ${reason}; start it, or name the right one with --router.url=URL`;
}

function describeStranger(routerUrl: string, call: string, status: number): string {
  const what = status === 404 || status === 405 ? `does not know ${call}` : `answers ${status} to ${call}, and no JSON`;
  return `What is at ${routerUrl} ${what}: name a router of this version with --router.url=URL`;
}

function parseAnswer(text: string): Answer | undefined {
  try {
    const answer = JSON.parse(text) as Partial<Answer> | null;
    return typeof answer?.status === "string" ? { ...answer, status: answer.status } : undefined;
  } catch {
    return undefined;
  }
}

function queryOf(parameters: Parameters): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) =>
    (typeof value === "string" ? [value] : value).map((one): [string, string] => [name, one]),
  );
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
}
