import { parseSelector, type Selector } from "../matchers/selector.ts";
import type { ByteString } from "../sharding/byte-string.ts";

/** The parameters of a query as it came off the socket. As everywhere in HTTP forms, and other than in push paths, a plus is a blank. */
export function parseQuery(query: ByteString): URLSearchParams {
  return new URLSearchParams(Buffer.from(query, "latin1").toString());
}

/** The selectors of a query. Throws a SelectorError for what is none. */
export function selectorsOf(parameters: URLSearchParams): readonly Selector[] {
  return parameters.getAll("match[]").map(parseSelector);
}
