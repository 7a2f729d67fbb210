import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { RawConnection } from "../support/raw-http.ts";
import { waitFor } from "../support/wait-for.ts";

const PUT = "PUT /metrics/job/a HTTP/1.1\r\nHost: router\r\nContent-Length: 4\r\n\r\nx 1\n";
const OK = "HTTP/1.1 200 OK\r\n";

/** What the client gets: a status and a piece of the text, or a connection cut within the answer. */
type Outcome = readonly [status: number, text: string] | "cut";

interface Broken {
  readonly what: string;
  readonly answer: string;
  /** Whether the member closes the connection behind it. */
  readonly closes?: boolean;
  readonly outcome: Outcome;
}

const UNREADABLE = "Cannot read the answer of 127.0.0.1:";

const BROKEN: readonly Broken[] = [
  { what: "no HTTP", answer: "\x00\x01garbage\r\n\r\n", outcome: [502, UNREADABLE] },
  { what: "another protocol", answer: "SSH-2.0-OpenSSH_9.2\r\n", closes: true, outcome: [502, UNREADABLE] },
  { what: "HTTP/2", answer: "HTTP/2 200\r\n\r\n", outcome: [502, UNREADABLE] },
  { what: "a status that is none", answer: "HTTP/1.1 0 OK\r\n\r\n", outcome: [502, UNREADABLE] },
  { what: "half a head", answer: `${OK}Content-Le`, closes: true, outcome: [502, UNREADABLE] },
  { what: "a head that never ends", answer: `${OK}X: ${"x".repeat(70_000)}`, outcome: [502, UNREADABLE] },
  { what: "a bare line feed", answer: "HTTP/1.1 200 OK\nContent-Length: 0\n\n", outcome: [502, UNREADABLE] },
  { what: "a blank before a colon", answer: `${OK}Content-Length : 0\r\n\r\n`, outcome: [502, UNREADABLE] },
  {
    what: "two lengths",
    answer: `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
    outcome: [502, UNREADABLE],
  },
  {
    what: "a length and chunks",
    answer: `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    outcome: [502, UNREADABLE],
  },
  { what: "an unknown coding", answer: `${OK}Transfer-Encoding: gzip\r\n\r\n`, outcome: [502, UNREADABLE] },
  {
    what: "an upgrade",
    answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    outcome: [502, UNREADABLE],
  },
  { what: "half a body", answer: `${OK}Content-Length: 10\r\n\r\nhalf`, closes: true, outcome: "cut" },
  {
    what: "half a chunked body",
    answer: `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`,
    closes: true,
    outcome: "cut",
  },
  { what: "a bad chunk", answer: `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n`, outcome: "cut" },
  {
    what: "bytes behind its end",
    answer: `${OK}Content-Length: 2\r\n\r\nokHTTP/1.1 200 No\r\n\r\n`,
    outcome: [200, "ok"],
  },
  { what: "two answers", answer: `${OK}Content-Length: 0\r\n\r\n`.repeat(2), outcome: "cut" },
  { what: "a 204 with a body", answer: "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nno", outcome: "cut" },
];

describe("An answer of a member that has", () => {
  let member: FakePushgateway;
  let router: LocalRouter;

  beforeAll(async () => {
    member = await FakePushgateway.start();
    // One connection, so that a poisoned one is what the next push gets.
    router = await LocalRouter.start(configOf([member], { limits: { max_in_flight_per_member: 1 } }));
  });

  beforeEach(() => {
    member.script = {};
  });

  afterAll(async () => {
    await router.stop();
    await member[Symbol.asyncDispose]();
  });

  async function pushAndRead(): Promise<Outcome> {
    await using client = await RawConnection.open(router.address);
    void client.write(PUT);
    try {
      const answer = await client.readResponse();
      return [answer.status, answer.text()];
    } catch (error) {
      if (await isOver(client)) return "cut";
      throw error;
    }
  }

  async function isOver(client: RawConnection): Promise<boolean> {
    return (await client.ending()) !== undefined;
  }

  test.each(BROKEN.map((broken) => [broken.what, broken] as const))("%s hurts that push only", async (_, broken) => {
    member.script = {
      onPush: (push) => {
        push.write(Buffer.from(broken.answer, "latin1"));
        if (broken.closes === true) push.close();
      },
    };
    const outcome = await pushAndRead();
    if (broken.outcome === "cut") expect(outcome).toBe("cut");
    else expect(outcome).toEqual([broken.outcome[0], expect.stringContaining(broken.outcome[1])]);
    member.script = { onPush: (push) => push.respond(200, "its own") };
    for (let i = 0; i < 3; i++) expect(await pushAndRead()).toEqual([200, "its own"]);
  });

  test("no length and ends with a reset is not taken for whole", async () => {
    member.script = { onPush: (push) => push.write(`${OK}\r\nhalf`) };
    await using client = await RawConnection.open(router.address);
    await client.write(PUT);
    // The head comes with the first piece of the body.
    expect(await client.readStatus()).toBe(200);
    member.latest.reset();
    expect(Buffer.from(await client.readToEnd()).toString()).toBe("4\r\nhalf\r\n");
  });

  test("come late, after another had been given up, goes to nobody", async () => {
    await using slow = await LocalRouter.start(
      configOf([member], { limits: { request_timeout: "300ms", stall_timeout: "300ms", max_in_flight_per_member: 1 } }),
    );
    member.script = { onPush: () => {} };
    expect((await slow.push("/metrics/job/a")).status).toBe(504);
    const abandoned = member.latest;
    member.script = { onPush: (push) => push.respond(200, "its own") };
    abandoned.respond(200, "late");
    expect(await (await slow.push("/metrics/job/a")).text()).toBe("its own");
  });

  test("come unasked on an idle connection is not taken for the next answer", async () => {
    for (let i = 0; i < 5; i++) {
      member.script = { onPush: (push) => push.respond(200, "its own") };
      expect(await pushAndRead()).toEqual([200, "its own"]);
      member.latest.respond(200, "unasked");
      await member.latest.closed;
    }
    expect(await pushAndRead()).toEqual([200, "its own"]);
  });

  test("come before the body was read ends the push, and the connection is not used again", async () => {
    member.script = { onHead: (push) => push.respond(413, "too much") };
    const accepted = member.accepted;
    await using client = await RawConnection.open(router.address);
    await client.write("PUT /metrics/job/a HTTP/1.1\r\nHost: r\r\nContent-Length: 2000000\r\n\r\n");
    const answer = await client.readResponse();
    expect([answer.status, answer.text()]).toEqual([413, "too much"]);
    await waitFor("the member's connection to be closed", () => member.latest.closed.then(() => true));
    member.script = { onPush: (push) => push.respond(200, "its own") };
    expect(await pushAndRead()).toEqual([200, "its own"]);
    expect(member.accepted).toBeGreaterThan(accepted);
  });

  test("a megabyte of text reaches a client that reads slowly, and the connection goes on", async () => {
    const text = "e".repeat(8_000_000);
    member.script = { onPush: (push) => push.respond(400, text) };
    await using client = await RawConnection.open(router.address);
    client.pause();
    await client.write(PUT);
    await waitFor("the member to have the push", () => member.latest.isComplete);
    client.resume();
    expect((await client.readResponse()).text()).toBe(text);
    member.script = { onPush: (push) => push.respond(200, "its own") };
    expect(await pushAndRead()).toEqual([200, "its own"]);
  });
});
