import { type Agent, type IncomingMessage, request } from "node:http";
import { CONNECTION_HEADERS } from "./routing.ts";

export interface Push {
  readonly method: string;
  readonly target: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body: Buffer<ArrayBuffer>;
}

/** Sends a push over a kept connection and returns the whole answer. */
export function send(agent: Agent, address: string, { method, target, headers, body }: Push): Promise<Answer> {
  const [host, port] = address.split(":");
  const withLength = [...headers, "Host", address, "Content-Length", String(body.length)];
  return new Promise((resolve, reject) => {
    const outgoing = request({ agent, host, port, method, path: target, headers: withLength }, (response) => {
      readAll(response).then((answerBody) => {
        resolve({
          status: response.statusCode ?? 0,
          reason: response.statusMessage ?? "",
          headers: endToEnd(response.rawHeaders),
          body: answerBody,
        });
      }, reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

export function readAll(message: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    message.on("data", (chunk: Buffer) => chunks.push(chunk));
    message.on("end", () => resolve(Buffer.concat(chunks)));
    message.on("error", reject);
  });
}

/** The headers that are forwarded. */
export function endToEnd(headers: readonly string[]): string[] {
  return headers.filter((_, i) => !CONNECTION_HEADERS.has((headers[i - (i % 2)] ?? "").toLowerCase()));
}
