import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { chunked } from "../support/push-bodies.ts";
import { RawConnection } from "../support/raw-http.ts";
import type { ReceivedPush } from "../support/received-push.ts";
import { waitFor } from "../support/wait-for.ts";

const { CHAOS_SEED } = process.env;
/** Set CHAOS_SEED to have other clients and members. Without it they are the same each time, if not their timing. */
const SEED = Number(CHAOS_SEED ?? 20261130);
const CLIENTS = 16;
const PUSHES_OF_CLIENT = 40;
const TEST_TIMEOUT_MS = 60_000;
/** Small, so that bodies are gathered, streamed because they are long, and streamed because others take the memory. */
const LIMITS = {
  max_buffered_body_bytes: "16KiB",
  max_buffered_total_bytes: "64KiB",
  max_in_flight_per_member: 4,
  max_queued_per_member: 8,
  request_timeout: "400ms",
  stall_timeout: "200ms",
};

/** Numbers from 0 to 1 that depend on nothing but the seed (the mulberry32 generator). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Random = () => number;

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)] as T;
}

const WELL = (push: ReceivedPush) => push.respond();

/** What a member may do with a whole push. Half of the time it behaves. */
const ON_PUSH = [
  WELL,
  WELL,
  WELL,
  WELL,
  (push: ReceivedPush) => push.respond(400, "e".repeat(100_000)),
  (push: ReceivedPush) => push.close(),
  (push: ReceivedPush) => push.reset(),
  (push: ReceivedPush) => push.write("nonsense\r\n\r\n"),
];

/** And what with the head of one, most often nothing. */
const ON_HEAD = [
  ...Array.from({ length: 12 }, () => () => {}),
  (push: ReceivedPush) => push.respond(413, "no", "Connection: close\r\n"),
  (push: ReceivedPush) => push.reset(),
  (push: ReceivedPush) => push.close(),
  (push: ReceivedPush) => {
    push.stopReading();
    setTimeout(() => push.goOnReading(), 100);
  },
];

/** What a client sent in full, by the ID of its push. */
type Sent = Map<string, string>;

/** Pushes once, and perhaps leaves in the middle. Returns the status, or how it left. */
async function pushOnce(router: LocalRouter, random: Random, id: string, sent: Sent): Promise<number | string> {
  const body = Buffer.alloc(Math.floor(300_000 * random() ** 3), `${id} `);
  const isChunked = random() < 0.5;
  const bytes = isChunked ? chunked(body, [1 + Math.floor(random() * 30_000)]) : body;
  const framing = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`;
  const head = `PUT /metrics/job/a/n/${Math.floor(random() * 50)} HTTP/1.1\r\nHost: r\r\nX-Id: ${id}\r\n${framing}\r\n\r\n`;
  const leavesAt = random() < 0.25 ? Math.floor(random() * bytes.length) : Number.POSITIVE_INFINITY;
  await using client = await RawConnection.open(router.address);
  void client.write(head);
  for (let offset = 0; offset < bytes.length; ) {
    const end = Math.min(bytes.length, offset + 1 + Math.floor(random() * 100_000), leavesAt);
    void client.write(bytes.subarray(offset, end));
    if (end === leavesAt) return leave(client, random);
    offset = end;
    await Bun.sleep(0);
  }
  sent.set(id, createHash("sha256").update(body).digest("hex"));
  try {
    return (await client.readResponse()).status;
  } catch (error) {
    // An answer that has begun can only be cut when its time is over.
    if (error instanceof Error && /Cannot read \d+ bytes of body: .*(?:ECONNRESET|closed)/.test(error.message))
      return "cut";
    throw error;
  }
}

function leave(client: RawConnection, random: Random): string {
  if (random() < 0.5) client.abort();
  else client.end();
  return "left";
}

test(
  `Among members and clients that do anything, no push is filed but as it was sent (seed ${SEED})`,
  async () => {
    await using resources = new AsyncDisposableStack();
    const random = randomOf(SEED);
    const members: FakePushgateway[] = [];
    for (let i = 0; i < 3; i++) members.push(resources.use(await FakePushgateway.start()));
    const router = resources.use(await LocalRouter.start(configOf(members, { limits: LIMITS })));
    for (const member of members) {
      const script = randomOf(random() * 2 ** 32);
      member.script = { onHead: (push) => pick(script, ON_HEAD)(push), onPush: (push) => pick(script, ON_PUSH)(push) };
    }
    const sent: Sent = new Map();
    const outcomes: (number | string)[] = [];
    const runClient = async (client: number) => {
      const own = randomOf(SEED + client);
      for (let i = 0; i < PUSHES_OF_CLIENT; i++) outcomes.push(await pushOnce(router, own, `${client}.${i}`, sent));
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, client) => runClient(client)));

    const filed = members.flatMap(({ pushes }) => pushes.filter(({ isComplete }) => isComplete));
    const wrong = filed.filter((push) => push.sha256() !== sent.get(push.header("X-Id") ?? ""));
    expect(wrong.map((push) => push.requestLine)).toEqual([]);
    expect(filed.length).toBeGreaterThan(outcomes.length / 10);
    const answers = outcomes.filter((outcome) => outcome !== "left");
    expect(answers.filter((status) => !["cut", 200, 400, 413, 502, 503, 504].includes(status))).toEqual([]);
    expect(answers.filter((status) => status === 200).length).toBeGreaterThan(answers.length / 10);

    await expectRest(router, answers.length, outcomes.length);
  },
  TEST_TIMEOUT_MS,
);

/**
 * Nothing is under way any more, and every push was counted once. Of those whose clients left at once the router may never
 * have heard.
 */
async function expectRest(router: LocalRouter, atLeast: number, atMost: number): Promise<void> {
  await waitFor("everything to be over", async () => {
    const metrics = [...(await router.metrics())];
    const sum = (name: string) =>
      metrics.filter(([known]) => known.startsWith(`dynamic_sharding_${name}`)).reduce((total, [, n]) => total + n, 0);
    // The connection that asks is still there.
    const [inFlight, connections, counted] = [
      sum("upstream_in_flight"),
      sum("client_connections"),
      sum("pushes_total"),
    ];
    const seen = `${inFlight} in flight, ${connections} connections, ${counted} of ${atLeast} to ${atMost} counted`;
    if (inFlight > 0 || connections !== 1 || counted < atLeast || counted > atMost) throw new Error(seen);
    return true;
  });
  expect(router.log.filter((line) => line.includes("level=error"))).toEqual([]);
}
