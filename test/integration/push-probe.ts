import { RawConnection, type RawResponse } from "../support/raw-http.ts";

/** What a Pushgateway made of a push: its answer, undefined for a connection closed without one, and the groups it filed it under. */
export interface PushOutcome {
  readonly answer: RawResponse | undefined;
  readonly groups: readonly Readonly<Record<string, string>>[];
}

interface ListedGroup extends Readonly<Record<string, unknown>> {
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Tries paths on a Pushgateway, byte for byte, one after the other. Wipes the store after each, so that no push sees
 * another and those that poison the store do no harm; it needs --web.enable-admin-api.
 */
export class PushProbe implements AsyncDisposable {
  readonly #address: string;
  #connection: RawConnection;
  #pushes = 0;

  private constructor(address: string, connection: RawConnection) {
    this.#address = address;
    this.#connection = connection;
  }

  static async open(address: string): Promise<PushProbe> {
    return new PushProbe(address, await RawConnection.open(address));
  }

  async try(path: string): Promise<PushOutcome> {
    // A family of its own tells what this push has left behind.
    const family = `p${this.#pushes++}`;
    const answer = await this.#push(path, family);
    // A rejected push is answered before its group is filed. The next push is not answered before, so the wipe comes after.
    if (isRejectedByStore(answer)) await this.#push("/metrics/job/barrier", "barrier");
    void this.#connection.write(LIST_AND_WIPE);
    const listing = await this.#connection.readResponse();
    await this.#connection.readResponse();
    const { data } = JSON.parse(listing.text()) as { data: readonly ListedGroup[] };
    return { answer, groups: data.filter((group) => family in group).map(({ labels }) => labels) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }

  async #push(path: string, family: string): Promise<RawResponse | undefined> {
    void this.#connection.write(request("POST", path, `${family} 1\n`));
    const answer = await this.#readAnswer();
    if (answer === undefined || answer.header("Connection") === "close") {
      await this.#connection[Symbol.asyncDispose]();
      this.#connection = await RawConnection.open(this.#address);
    }
    return answer;
  }

  /** Undefined when the server closes the connection instead of answering. Silence is an error. */
  async #readAnswer(): Promise<RawResponse | undefined> {
    try {
      return await this.#connection.readResponse();
    } catch (error) {
      if (error instanceof Error && /the connection was closed|ECONNRESET/.test(error.message)) return undefined;
      throw error;
    }
  }
}

function request(method: string, path: string, body = ""): Uint8Array {
  const head = `${method} ${path} HTTP/1.1\r\nHost: pushgateway\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.from(head + body, "latin1");
}

const LIST_AND_WIPE = Buffer.concat([request("GET", "/api/v1/metrics"), request("PUT", "/api/v1/admin/wipe")]);

function isRejectedByStore(answer: RawResponse | undefined): boolean {
  return answer === undefined || (answer.status === 400 && answer.text().startsWith("pushed metrics are invalid"));
}
