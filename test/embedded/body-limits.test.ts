import { afterEach, beforeEach, expect, test } from "bun:test";
import { zstdCompressSync } from "node:zlib";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { snappyFramed } from "../support/push-bodies.ts";
import { RawConnection } from "../support/raw-http.ts";
import { waitFor } from "../support/wait-for.ts";

const MIB = 1024 * 1024;
const TOO_LARGE = `Request body too large: more than ${MIB} bytes when decoded\n`;

let server: LocalPushgateway;
beforeEach(async () => {
  server = await LocalPushgateway.start({ maxBodyBytes: MIB });
});
afterEach(async () => {
  await server.stop();
});

async function put(
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<readonly [number, string]> {
  const response = await fetch(`${server.url}/metrics/job/a`, { method: "PUT", body, headers });
  return [response.status, await response.text()];
}

async function expectNothingStored(): Promise<void> {
  const { data } = (await (await fetch(`${server.url}/api/v1/metrics`)).json()) as { data: readonly unknown[] };
  expect(data).toEqual([]);
}

/** Comments, so that they cost nothing but their length. */
function comments(bytes: number): string {
  return "#\n".repeat(bytes / 2);
}

test("a body of the limit is stored, and one of a byte more is not", async () => {
  expect(await put(`${comments(MIB - 4)}x 1\n`)).toEqual([200, ""]);
  await fetch(`${server.url}/api/v1/admin/wipe`, { method: "PUT" });
  const [status, text] = await put(`${comments(MIB - 4)} x 1\n`);
  expect([status, text]).toEqual([413, `Request body too large: more than ${MIB} bytes\n`]);
  await expectNothingStored();
});

test("a body of the limit once it is decoded is stored", async () => {
  const body = `${comments(MIB - 4)}x 1\n`;
  expect(await put(Bun.gzipSync(body), { "content-encoding": "gzip" })).toEqual([200, ""]);
});

test.each([
  ["a short gzip bomb", Bun.gzipSync(Buffer.alloc(8 * MIB)), "gzip"],
  ["a long one", Bun.gzipSync(Buffer.alloc(512 * MIB)), "gzip"],
  ["one of a byte too many", Bun.gzipSync(Buffer.alloc(MIB + 1)), "gzip"],
])("%s is refused, whatever it would unpack to", async (_, body, encoding) => {
  const before = process.memoryUsage.rss();
  expect(await put(body, { "content-encoding": encoding })).toEqual([413, TOO_LARGE]);
  expect(process.memoryUsage.rss() - before).toBeLessThan(256 * MIB);
  await expectNothingStored();
});

test("a snappy bomb is refused", async () => {
  const bomb = Buffer.concat([snappyFramed(""), ...Array.from({ length: 17 }, bombChunk)]);
  expect(bomb.length).toBeLessThan(MIB / 8);
  expect(await put(bomb, { "content-encoding": "snappy" })).toEqual([413, TOO_LARGE]);
});

test("zstd is not decoded, so it cannot be a bomb", async () => {
  expect((await put(zstdCompressSync(Buffer.alloc(8 * MIB)), { "content-encoding": "zstd" }))[0]).toBe(400);
});

test("bodies that together take too much are refused for the moment, and those that have begun are not lost", async () => {
  await using stack = new AsyncDisposableStack();
  const body = Buffer.from(`${comments(MIB - 4)}x 1\n`);
  const connections: RawConnection[] = [];
  for (let i = 0; i < 4; i++) {
    const connection = stack.use(await RawConnection.open(server.address));
    await connection.write(head(i, body.length));
    await connection.write(body.subarray(0, -1));
    connections.push(connection);
  }
  const late = stack.use(await RawConnection.open(server.address));
  // They leave room for four bytes when they have been read, and before that this one is too short to take it from them.
  const short = Buffer.from("x 1\n#\n");
  await waitFor("the first four to be read", async () => (await pushAt(late, short)) === 503);
  for (const connection of connections) {
    await connection.write(body.subarray(-1));
    expect((await connection.readResponse()).status).toBe(200);
  }
  expect(await put(body)).toEqual([200, ""]);
});

function head(group: number, length: number): string {
  return `PUT /metrics/job/g${group} HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n`;
}

async function pushAt(connection: RawConnection, body: Buffer): Promise<number> {
  await connection.write(head(99, body.length));
  void connection.write(body);
  return (await connection.readResponse()).status;
}

/** A chunk of 65,536 zeros: a literal one, and copies of the byte before it, 64 at a time. */
function bombChunk(): Buffer {
  const checksum = Buffer.from(snappyFramed("\0".repeat(65_536))).subarray(14, 18);
  const copies = Buffer.alloc(3 * 1_023, Buffer.from([0xfe, 1, 0]));
  const block = Buffer.concat([Buffer.from([0x80, 0x80, 0x04, 0x00, 0x00]), copies, Buffer.from([0xfa, 1, 0])]);
  const head = Buffer.alloc(4);
  head.writeUIntLE(checksum.length + block.length, 1, 3);
  return Buffer.concat([head, checksum, block]);
}
