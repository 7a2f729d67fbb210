import { RawConnection, type RawResponse } from "../support/raw-http.ts";
import type { Outcome } from "./accepted-differences.ts";

/** A request as it goes over the wire. Byte strings, so that nothing is mended on the way. */
export interface WireRequest {
  readonly method: string;
  /** The request target, with its query if it has one. */
  readonly target: string;
  /** Lines of the head without the ends of the lines. Host and the length of the body are added. */
  readonly headers: readonly string[];
  readonly body: string | Uint8Array;
}

export interface WireAnswer extends Outcome {
  /** Of a redirect. */
  readonly location: string | undefined;
}

/** A server that takes one request after the other on a connection that is kept for as long as the server keeps it. */
export class HttpTarget implements AsyncDisposable {
  readonly address: string;
  #connection: RawConnection | undefined;

  constructor(address: string) {
    this.address = address;
  }

  /** Status `none` when the server closes the connection instead of answering. */
  async send({ method, target, headers, body }: WireRequest): Promise<WireAnswer> {
    const bytes = typeof body === "string" ? Buffer.from(body, "latin1") : body;
    const lines = [`${method} ${target} HTTP/1.1`, "Host: h", ...headers, `Content-Length: ${bytes.length}`, "", ""];
    return await this.sendBytes(Buffer.concat([Buffer.from(lines.join("\r\n"), "latin1"), bytes]), method === "HEAD");
  }

  /** Sends these very bytes, which should be one request. */
  async sendBytes(bytes: Uint8Array, isHead = false): Promise<WireAnswer> {
    this.#connection ??= await RawConnection.open(this.address);
    const connection = this.#connection;
    void connection.write(bytes);
    try {
      const response = await connection.readResponse({ isHead });
      if (response.header("connection")?.toLowerCase() === "close") await this.#close();
      return answerOf(response);
    } catch (error) {
      // Throws in its turn when the server is merely silent.
      await connection.ending();
      await this.#close();
      return { status: "none", text: String(error), location: undefined };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #close(): Promise<void> {
    await this.#connection?.[Symbol.asyncDispose]();
    this.#connection = undefined;
  }
}

function answerOf(response: RawResponse): WireAnswer {
  return { status: response.status, text: response.text(), location: response.header("location") };
}
