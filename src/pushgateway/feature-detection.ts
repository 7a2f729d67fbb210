import { failure, type MemberRequest, requestMember } from "./member-request.ts";

export type DetectionOptions = Pick<MemberRequest, "timeoutMs" | "signal">;

const REQUEST = { method: "GET", target: "/api/v1/dynamic-sharding", maxBodyBytes: 65_536 };
const API_VERSION = 1;

/**
 * Which members speak the groups API, as our own Pushgateway does. What was found holds until `forget`: a member that was down may
 * have come back as another program.
 */
export class FeatureDetection {
  readonly #found = new Map<string, Promise<boolean>>();

  /**
   * Whether the member speaks the groups API. Whoever asks meanwhile shares the answer, and the signal of who asked first.
   *
   * @throws MemberRequestError when it cannot be told; that is not remembered.
   */
  async speaksGroupsApi(address: string, options: DetectionOptions): Promise<boolean> {
    const known = this.#found.get(address);
    if (known !== undefined) return await known;
    const asked = ask(address, options);
    this.#found.set(address, asked);
    try {
      return await asked;
    } catch (error) {
      if (this.#found.get(address) === asked) this.#found.delete(address);
      throw error;
    }
  }

  /** The member went down, or is no member any more. */
  forget(address: string): void {
    this.#found.delete(address);
  }
}

async function ask(address: string, options: DetectionOptions): Promise<boolean> {
  const { status, body } = await requestMember(address, { ...REQUEST, ...options });
  if (status >= 500 || status === 429) throw failure("status", address, REQUEST, `answers ${status}`, status);
  return status === 200 && announcesApi(body);
}

/** Anything that announces no API that this program knows has none: most members have never heard of it. */
function announcesApi(body: Buffer): boolean {
  try {
    const { data } = JSON.parse(body.toString()) as { readonly data?: { readonly api_version?: unknown } };
    return data?.api_version === API_VERSION;
  } catch {
    return false;
  }
}
