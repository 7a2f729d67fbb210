import type { HeaderList } from "../../http/response.ts";

/** What Pushgateway puts on every answer of its API, so that pages of other origins may read it. */
export const API_HEADERS: HeaderList = [
  "Access-Control-Allow-Headers",
  "Accept, Authorization, Content-Type, Origin",
  "Access-Control-Allow-Methods",
  "GET, POST, DELETE, OPTIONS",
  "Access-Control-Allow-Origin",
  "*",
  "Access-Control-Expose-Headers",
  "Date",
  "Cache-Control",
  "no-cache, no-store, must-revalidate",
];
