import { isDelimitedProtobuf, parseMediaType } from "../../exposition/media-type.ts";
import type { MetricFamily } from "../../exposition/model.ts";
import { ProtobufFormatError, parseDelimited } from "../../exposition/protobuf-decoder.ts";
import { parseText, TextFormatError } from "../../exposition/text-parser.ts";
import type { HttpExchange } from "../../http/server-exchange.ts";
import { BodyTooLargeError } from "./body-too-large-error.ts";
import { ContentEncodingError, decodeContent } from "./content-encoding.ts";
import { type BodyMemory, NoBodyMemoryError, WholeBody } from "./whole-body.ts";

export interface BodyLimits {
  readonly memory: BodyMemory;
  /** Longest body once it is decoded. */
  readonly maxBodyBytes: number;
}

/** Takes what a body holds. One of its functions is called, once. */
export interface FamiliesReceiver {
  /** `bodyBytes` is the length of the body as it was sent. May throw; the error then comes back by `onFault`. */
  onFamilies(families: readonly MetricFamily[], bodyBytes: number): void;
  /** The body cannot be used; the answer should have this status and text. */
  onRefused(status: 400 | 413 | 503, text: string, bodyBytes: number): void;
  /** The client is gone, or has been told why its body is not taken. */
  onAborted(): void;
  onFault(error: unknown): void;
}

/** Reads the body of a push: takes its Content-Encoding off, and parses it as its Content-Type says. */
export function receiveFamilies(exchange: HttpExchange, limits: BodyLimits, receiver: FamiliesReceiver): void {
  const body = new WholeBody(limits.memory, {
    onWhole: (bytes) => read(exchange, bytes, limits, receiver, body),
    onAborted: () => receiver.onAborted(),
    onNoMemory: () => handOn(new NoBodyMemoryError(), 0, receiver),
  });
  exchange.receiveBody(body);
}

function read(
  exchange: HttpExchange,
  body: Buffer,
  limits: BodyLimits,
  receiver: FamiliesReceiver,
  memory: Pick<WholeBody, "take" | "release">,
): void {
  const { fields } = exchange.head;
  const parse = (decoded: Buffer) => {
    receiver.onFamilies(parseFamilies(decoded, fields.get("content-type")), body.length);
  };
  const refuse = (error: unknown) => handOn(error, body.length, receiver);
  try {
    const decoded = decodeContent(body, fields.get("content-encoding"), {
      maxBytes: limits.maxBodyBytes,
      takeMemory: (bytes) => memory.take(bytes),
    });
    if (decoded instanceof Promise) {
      void decoded
        .then(parse)
        .catch(refuse)
        .finally(() => memory.release());
      return;
    }
    parse(decoded);
  } catch (error) {
    refuse(error);
  }
  memory.release();
}

/** What saves reading the Content-Type of most pushes. */
const PROTOBUF = /protobuf/i;

/** Everything that is not announced as protobuf is text. */
function parseFamilies(body: Buffer, contentType: string | undefined): readonly MetricFamily[] {
  const isPlain = contentType === undefined || !PROTOBUF.test(contentType);
  const mediaType = isPlain ? undefined : parseMediaType(contentType);
  return mediaType !== undefined && isDelimitedProtobuf(mediaType) ? parseDelimited(body) : parseText(body);
}

function handOn(error: unknown, bodyBytes: number, receiver: FamiliesReceiver): void {
  if (error instanceof BodyTooLargeError) receiver.onRefused(413, error.message, bodyBytes);
  else if (error instanceof NoBodyMemoryError) receiver.onRefused(503, error.message, bodyBytes);
  else if (isMalformed(error)) receiver.onRefused(400, (error as Error).message, bodyBytes);
  else receiver.onFault(error);
}

function isMalformed(error: unknown): boolean {
  return (
    error instanceof TextFormatError || error instanceof ProtobufFormatError || error instanceof ContentEncodingError
  );
}
