import { createRequire } from "node:module";

type PromqlParser = typeof import("@prometheus-io/lezer-promql").parser;

/**
 * The grammar of PromQL that Prometheus' own user interface uses. It is loaded when first asked for, since it costs memory that
 * a router without selectors to read need not spend (ADR 11); by require, so that reading a selector need not be awaited.
 */
export function promqlParser(): PromqlParser {
  const require = createRequire(import.meta.url);
  return (require("@prometheus-io/lezer-promql") as { readonly parser: PromqlParser }).parser;
}
