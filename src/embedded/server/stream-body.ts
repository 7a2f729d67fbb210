import { setImmediate } from "node:timers/promises";
import type { HeaderList } from "../../http/response.ts";
import type { HttpExchange } from "../../http/server-exchange.ts";
import type { ByteString } from "../../sharding/byte-string.ts";

/** So much is put together before it is sent. Between two such pieces other requests have their turn. */
const PIECE_BYTES = 65_536;

/** Answers 200 with a body that is made as it is sent, at the client's pace; in one go when it is short. */
export async function streamBody(
  exchange: HttpExchange,
  headers: HeaderList,
  texts: Iterable<ByteString>,
): Promise<void> {
  let pending = "";
  let hasBegun = false;
  for (const text of texts) {
    pending += text;
    if (pending.length < PIECE_BYTES) continue;
    if (!hasBegun) exchange.begin(200, headers, "unknown-length");
    hasBegun = true;
    if (!(await send(exchange, pending))) return;
    pending = "";
  }
  const rest = Buffer.from(pending, "latin1");
  if (!hasBegun) exchange.respond(200, headers, rest);
  else {
    exchange.write(rest);
    exchange.end();
  }
}

/** Whether there is still somebody to send to, once the client is ready for more. */
async function send(exchange: HttpExchange, piece: ByteString): Promise<boolean> {
  const isReady = Promise.withResolvers<boolean>();
  exchange.onDrain = () => isReady.resolve(true);
  exchange.onClose = () => isReady.resolve(false);
  if (exchange.write(Buffer.from(piece, "latin1"))) void setImmediate().then(() => isReady.resolve(true));
  return await isReady.promise;
}
