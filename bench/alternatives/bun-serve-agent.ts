/** A proxy of Bun.serve and the client of node:http: `bun bun-serve-agent.ts PORT MEMBER...`. */
import { Agent } from "node:http";
import { endToEnd, send } from "./node-http-client.ts";
import { ownerLookup } from "./routing.ts";

const [port, ...members] = process.argv.slice(2);
const ownerOf = ownerLookup(members);
const agent = new Agent({ keepAlive: true });

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  async fetch(request) {
    const target = request.url.slice(request.url.indexOf("/", "http://".length));
    const answer = await send(agent, ownerOf(target), {
      method: request.method,
      target,
      headers: endToEnd([...request.headers].flat()),
      body: Buffer.from(await request.arrayBuffer()),
    });
    const headers: [string, string][] = [];
    for (let i = 0; i < answer.headers.length; i += 2)
      headers.push([answer.headers[i] ?? "", answer.headers[i + 1] ?? ""]);
    return new Response(answer.body, { status: answer.status, statusText: answer.reason, headers });
  },
});
