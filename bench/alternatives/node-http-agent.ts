/** A proxy of the server and the client of node:http: `bun node-http-agent.ts PORT MEMBER...`. */
import { Agent, createServer } from "node:http";
import { endToEnd, readAll, send } from "./node-http-client.ts";
import { ownerLookup } from "./routing.ts";

const [port, ...members] = process.argv.slice(2);
const ownerOf = ownerLookup(members);
const agent = new Agent({ keepAlive: true });

createServer(async (request, response) => {
  const { method = "GET", url: target = "/", rawHeaders } = request;
  const body = await readAll(request);
  const answer = await send(agent, ownerOf(target), { method, target, headers: endToEnd(rawHeaders), body });
  response.writeHead(answer.status, answer.reason, answer.headers);
  response.end(answer.body);
}).listen(Number(port), "127.0.0.1");
