/** A proxy of Bun.serve and fetch: `bun bun-serve-fetch.ts PORT MEMBER...`. */
import { CONNECTION_HEADERS, ownerLookup } from "./routing.ts";

const [port, ...members] = process.argv.slice(2);
const ownerOf = ownerLookup(members);

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  async fetch(request) {
    const target = request.url.slice(request.url.indexOf("/", "http://".length));
    const response = await fetch(`http://${ownerOf(target)}${target}`, {
      method: request.method,
      headers: endToEnd(request.headers),
      body: await request.arrayBuffer(),
      redirect: "manual",
      decompress: false,
    });
    return new Response(await response.arrayBuffer(), {
      status: response.status,
      statusText: response.statusText,
      headers: endToEnd(response.headers),
    });
  },
});

function endToEnd(headers: Headers): [string, string][] {
  return [...headers].filter(([name]) => !CONNECTION_HEADERS.has(name));
}
