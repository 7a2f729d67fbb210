/** A body that takes more memory than it may once it is decoded. */
export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";

  constructor(maxBytes: number) {
    super(`Request body too large: more than ${maxBytes} bytes when decoded`);
  }
}
