/** An HTTP message that breaks RFC 9112, or a limit of ours. The message names the fault; `status` is what a client is told. */
export class HttpSyntaxError extends Error {
  override name = "HttpSyntaxError" as const;
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
