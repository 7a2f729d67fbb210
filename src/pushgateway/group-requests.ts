import type { OutputBuffer } from "../http/output-buffer.ts";
import type { ResponseHead } from "../http/response-head.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import { groupPathOf } from "../sharding/group-id.ts";
import type { GroupingKey } from "../sharding/grouping-key.ts";
import { groupTarget } from "./groups-api.ts";
import type { AttemptFailure, AttemptReceiver, OutgoingRequest, PushAttempt } from "./push-attempt.ts";
import type { PushgatewayClient } from "./pushgateway-client.ts";

/** What became of a request about one group. */
export type GroupRequestResult =
  | { readonly ok: true; readonly status: number }
  | {
      readonly ok: false;
      /** What the member answered; absent when there was no answer. */
      readonly status?: number;
      /** Why there was no answer, or none that is whole. A deadline of ours counts as `unresponsive`. */
      readonly failure?: AttemptFailure;
      /** What was seen, for people. */
      readonly detail: string;
      /** Whether any of the request went out. If so, the member may have acted on it, or may yet, unless it answered. */
      readonly wasSent: boolean;
    };

export interface GroupRequestOptions {
  /** Whether the Pushgateways run with --push.enable-utf8-names. */
  readonly utf8Names: boolean;
  /** Deadline for the whole, the wait for a connection included. */
  readonly timeoutMs: number;
  /** Gives the request up as long as it waits for a connection. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Deletes one group. It takes the way of pushes to the member, so that it shares their connections, their bounds and the eye on
 * stalls. Never rejects; a group that is not there is deleted. A Pushgateway answers once the deletion is queued: a listing that
 * is asked for at once may still show the group.
 */
export function deleteGroup(
  client: PushgatewayClient,
  key: GroupingKey,
  options: GroupRequestOptions,
): Promise<GroupRequestResult> {
  return new GroupRequest("DELETE", groupPathOf(key, options), undefined, options).run(client);
}

/**
 * Pushes the body, in delimited protobuf, to a group: PUT replaces all of the group, POST the families of the same names. The
 * group gets the time of this push. Never rejects.
 */
export function putGroup(
  client: PushgatewayClient,
  key: GroupingKey,
  body: Buffer,
  method: "PUT" | "POST",
  options: GroupRequestOptions,
): Promise<GroupRequestResult> {
  return new GroupRequest(method, groupPathOf(key, options), body, options).run(client);
}

/**
 * Deletes a group unless it was pushed to after `pushTime`: that is answered 409. For members that speak the groups API. Never
 * rejects.
 */
export function deleteGroupIfNotNewer(
  client: PushgatewayClient,
  key: GroupingKey,
  pushTime: number,
  options: GroupRequestOptions,
): Promise<GroupRequestResult> {
  const target = `${groupTarget(key, options)}&not_newer_than=${pushTime}`;
  return new GroupRequest("DELETE", target, undefined, options).run(client);
}

/**
 * Stores a group with the push times that it had elsewhere, unless the group that is there was pushed to after `pushTime`: that
 * is answered 409. For members that speak the groups API. Never rejects.
 */
export function putGroupIfNotNewer(
  client: PushgatewayClient,
  key: GroupingKey,
  body: Buffer,
  times: { readonly pushTime: number; readonly pushFailureTime: number },
  options: GroupRequestOptions,
): Promise<GroupRequestResult> {
  const query = `push_time_seconds=${times.pushTime}&push_failure_time_seconds=${times.pushFailureTime}`;
  return new GroupRequest("PUT", `${groupTarget(key, options)}&${query}`, body, options).run(client);
}

const PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
const MAX_ANSWER_CHARACTERS = 1_000;
const MAX_SHOWN_CHARACTERS = 200;

/** One request on its way. */
class GroupRequest implements OutgoingRequest, AttemptReceiver {
  readonly method: string;
  readonly isWhole = true;
  readonly #target: ByteString;
  readonly #body: Buffer | undefined;
  readonly #options: GroupRequestOptions;
  readonly #result = Promise.withResolvers<GroupRequestResult>();
  #attempt: PushAttempt | undefined;
  #wasSent = false;
  #status: number | undefined;
  #answer = "";

  constructor(method: string, target: ByteString, body: Buffer | undefined, options: GroupRequestOptions) {
    this.method = method;
    this.#target = target;
    this.#body = body;
    this.#options = options;
  }

  async run(client: PushgatewayClient): Promise<GroupRequestResult> {
    const { timeoutMs, signal } = this.#options;
    if (signal?.aborted) return { ok: false, detail: "given up before it was sent", wasSent: false };
    const deadline = setTimeout(
      () => this.#giveUp(`${client.address} has not answered within ${timeoutMs} ms`),
      timeoutMs,
    );
    const onAbort = () => {
      if (this.#attempt?.connection === undefined) this.#giveUp("given up before it was sent");
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#attempt = client.send(this, this);
    try {
      return await this.#result.promise;
    } finally {
      clearTimeout(deadline);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  writeTo(output: OutputBuffer, address: string): void {
    this.#wasSent = true;
    output.addText(`${this.method} ${this.#target} HTTP/1.1\r\nHost: ${address}\r\n`);
    if (this.#body !== undefined)
      output.addText(`Content-Type: ${PROTOBUF}\r\nContent-Length: ${this.#body.length}\r\n`);
    output.addText("\r\n");
    if (this.#body !== undefined) output.addBytes(this.#body);
  }

  onResponseHead({ status }: ResponseHead): void {
    this.#status = status;
  }

  onResponseData(chunk: Buffer): void {
    if (this.#answer.length < MAX_ANSWER_CHARACTERS) this.#answer += chunk.toString("latin1", 0, MAX_ANSWER_CHARACTERS);
  }

  onResponseEnd(): void {
    const status = this.#status as number;
    if (status >= 200 && status < 300) {
      this.#result.resolve({ ok: true, status });
      return;
    }
    const text = this.#answer
      .trim()
      .replaceAll(/[^ -~]+/g, " ")
      .slice(0, MAX_SHOWN_CHARACTERS);
    const detail = `answers ${status}${text === "" ? "" : `: ${text}`}`;
    this.#result.resolve({ ok: false, status, detail, wasSent: true });
  }

  onAttemptFailed(failure: AttemptFailure, detail: string): void {
    this.#result.resolve({ ok: false, failure, detail, wasSent: this.#wasSent });
  }

  onDrain(): void {}

  #giveUp(detail: string): void {
    this.#attempt?.abort();
    this.onAttemptFailed("unresponsive", detail);
  }
}
