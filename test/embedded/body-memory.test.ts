import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { receiveFamilies } from "../../src/embedded/server/push-body.ts";
import { TestServer } from "../http/http-fixture.ts";

const KIB = 1024;

/** A comment that gzip makes a little more than half as long. */
const BODY = `#${randomBytes(40 * KIB).toString("hex")}\nx 1\n`;

test.each([
  ["received", BODY, "identity", BODY.length],
  ["received and decoded in another thread", Bun.gzipSync(BODY), "gzip", BODY.length + Bun.gzipSync(BODY).length],
])(
  "A body counts while it is %s, is refused for the moment beyond the memory of all, and then counts no more",
  async (_, body, encoding, cost) => {
    const memory = { maxBytes: 1_000 * KIB, takenBytes: 0 };
    await using server = new TestServer((exchange) =>
      receiveFamilies(
        exchange,
        { memory, maxBodyBytes: 1_000 * KIB },
        {
          onFamilies: (families) => exchange.respondText(200, `${families.length} with ${memory.takenBytes}`),
          onRefused: (status, text) => exchange.respondText(status, text),
          onAborted: () => {},
          onFault: (error) => exchange.respondText(500, String(error)),
        },
      ),
    );
    const push = async (): Promise<string> => {
      const headers = { "Content-Encoding": encoding };
      const answer = await fetch(`http://${server.address}/`, { method: "PUT", body, headers });
      return `${answer.status} ${await answer.text()}`;
    };
    expect(await push()).toBe(`200 1 with ${cost}`);
    memory.takenBytes = memory.maxBytes - cost;
    expect(await push()).toStartWith("200 ");
    expect(memory.takenBytes).toBe(memory.maxBytes - cost);
    memory.takenBytes++;
    expect(await push()).toBe("503 Too many bodies are being received at the moment");
    expect(memory.takenBytes).toBe(memory.maxBytes - cost + 1);
  },
);
