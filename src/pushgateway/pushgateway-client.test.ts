import { afterEach, describe, expect, test } from "bun:test";
import { FakePushgateway, type PushScript } from "../../test/support/fake-pushgateway.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { OutputBuffer } from "../http/output-buffer.ts";
import type { AttemptReceiver, PushAttempt } from "./push-attempt.ts";
import { PushgatewayClient, type PushgatewayClientOptions } from "./pushgateway-client.ts";

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

interface Scene {
  readonly member: FakePushgateway;
  readonly client: PushgatewayClient;
  /** What the client reported, and what became of pushes, in turn. */
  readonly events: string[];
}

async function startScene(script: PushScript = {}, options: Partial<PushgatewayClientOptions> = {}): Promise<Scene> {
  const member = resources.use(await FakePushgateway.start(script));
  const events: string[] = [];
  const client = new PushgatewayClient(
    member.address,
    {
      maxInFlight: 10,
      maxQueued: 10,
      stallTimeoutMs: 60_000,
      probePath: "/-/healthy",
      probeTimeoutMs: 1_000,
      onUnreachable: (_, detail) => events.push(`reported: ${detail}`),
      ...options,
    },
    new OutputBuffer(),
  );
  resources.defer(() => client.retire());
  return { member, client, events };
}

/** A push with its name for a body, or only the head of one whose body of ten bytes is to follow. */
class TestPush implements AttemptReceiver {
  readonly method = "PUT";
  readonly name: string;
  readonly isWhole: boolean;
  readonly attempt: PushAttempt;
  /** `200`, or how it failed. */
  outcome: string | undefined;
  drains = 0;
  detail = "";
  readonly #events: string[];
  #status = 0;

  constructor({ client, events }: Scene, name: string, isWhole = true) {
    this.name = name;
    this.isWhole = isWhole;
    this.#events = events;
    this.attempt = client.send(this, this);
  }

  writeTo(output: OutputBuffer): void {
    const length = this.isWhole ? this.name.length : 10;
    const body = this.isWhole ? this.name : "";
    output.addText(`PUT /metrics/job/a HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n${body}`);
  }

  onResponseHead({ status }: { readonly status: number }): void {
    this.#status = status;
  }

  onResponseData(): void {}

  onResponseEnd(): void {
    this.#over(String(this.#status));
  }

  onAttemptFailed(failure: string, detail: string): void {
    this.detail = detail;
    this.#over(failure);
  }

  onDrain(): void {
    this.drains++;
  }

  async over(): Promise<string> {
    return await waitFor(`push ${this.name} to be over`, () => this.outcome);
  }

  #over(outcome: string): void {
    if (this.outcome !== undefined) throw new Error(`Cannot end twice: ${this.outcome}, then ${outcome}`);
    this.outcome = outcome;
    this.#events.push(`${this.name}: ${outcome}`);
  }
}

async function arrived({ member }: Scene, count: number): Promise<void> {
  await waitFor(`${count} pushes to arrive`, () => member.pushes.length >= count);
}

describe("PushgatewayClient", () => {
  test("uses a connection again, unless the member closes it", async () => {
    const scene = await startScene();
    for (let i = 0; i < 3; i++) expect(await new TestPush(scene, "a").over()).toBe("200");
    expect(scene.member.accepted).toBe(1);
    scene.member.script = { onPush: (push) => push.respond(200, "", "Connection: close\r\n") };
    for (let i = 0; i < 3; i++) expect(await new TestPush(scene, "a").over()).toBe("200");
    expect(scene.member.accepted).toBe(3);
  });

  test("uses the connection that was used last, so that others can grow old", async () => {
    const scene = await startScene({ onPush: () => {} });
    const both = [new TestPush(scene, "a"), new TestPush(scene, "b")];
    await arrived(scene, 2);
    for (const push of scene.member.pushes) push.respond();
    await Promise.all(both.map((push) => push.over()));
    scene.member.script = {};
    scene.client.watch(performance.now() + 30_000);
    await new TestPush(scene, "c").over();
    scene.client.watch(performance.now() + 70_000);
    await Promise.race(scene.member.pushes.slice(0, 2).map(({ closed }) => closed));
    await new TestPush(scene, "d").over();
    expect(scene.member.accepted).toBe(2);
    scene.client.watch(performance.now() + 200_000);
    await scene.member.latest.closed;
    await new TestPush(scene, "e").over();
    expect(scene.member.accepted).toBe(3);
  });

  test("sends so many at a time, the others in their order, and refuses more than may wait", async () => {
    const scene = await startScene({ onPush: () => {} }, { maxInFlight: 2, maxQueued: 3 });
    const pushes = ["a", "b", "c", "d", "e"].map((name) => new TestPush(scene, name));
    const refused = new TestPush(scene, "f");
    expect(refused.outcome).toBe("overloaded");
    expect(scene.client.inFlight).toBe(5);
    await arrived(scene, 2);
    for (let i = 0; i < 5; i++) {
      await arrived(scene, i + 1);
      scene.member.pushes[i]?.respond();
      await waitFor("the answer to arrive", () => scene.client.inFlight === 4 - i);
    }
    expect(pushes.map(({ outcome }) => outcome)).toEqual(pushes.map(() => "200"));
    expect(scene.member.pushes.slice(2).map(({ body }) => body)).toEqual(["c", "d", "e"]);
    expect(scene.member.accepted).toBe(2);
    expect(scene.events).not.toContain("reported");
  });

  test("forgets a push that is aborted while it waits, and cuts one that is on its way", async () => {
    const scene = await startScene({ onPush: () => {} }, { maxInFlight: 1, maxQueued: 1 });
    const sent = new TestPush(scene, "sent");
    const waiting = new TestPush(scene, "waiting");
    await arrived(scene, 1);
    waiting.attempt.abort();
    const next = new TestPush(scene, "next");
    expect(next.outcome).toBeUndefined();
    sent.attempt.abort();
    await scene.member.pushes[0]?.closed;
    await arrived(scene, 2);
    expect(scene.member.pushes.map(({ body }) => body)).toEqual(["sent", "next"]);
    scene.member.latest.respond();
    expect(await next.over()).toBe("200");
    expect([sent.outcome, waiting.outcome]).toEqual([undefined, undefined]);
  });

  test("sends a whole push again when its connection is lost, but only once", async () => {
    const scene = await startScene({ onPush: (push) => push.reset() });
    const push = new TestPush(scene, "a");
    expect(await push.over()).toBe("dropped");
    expect(push.detail).toContain(`${scene.member.address} closed the connection without an answer`);
    expect(scene.member.pushes.map(({ body }) => body)).toEqual(["a", "a"]);
    expect(scene.events).toEqual(["a: dropped"]);
  });

  test("does not send a push again whose rest was to follow", async () => {
    const scene = await startScene({ onHead: (push) => push.reset() });
    const push = new TestPush(scene, "a", false);
    expect(await push.over()).toBe("dropped");
    expect(scene.member.pushes.length).toBe(1);
  });

  test("gives a push whose rest is to follow a new connection, in the place of an idle one if need be", async () => {
    const scene = await startScene({}, { maxInFlight: 1 });
    await new TestPush(scene, "a").over();
    const idle = scene.member.latest;
    const push = new TestPush(scene, "b", false);
    await waitFor("the member to take more", () => push.drains === 1);
    await idle.closed;
    expect(push.attempt.write(Buffer.from("0123456789"))).toBe(true);
    push.attempt.finish();
    expect(await push.over()).toBe("200");
    expect(scene.member.latest.body).toBe("0123456789");
    await new TestPush(scene, "c").over();
    expect(scene.member.accepted).toBe(2);
  });

  test("reports a member that refuses connections before its pushes fail, all that wait", async () => {
    const scene = await startScene({}, { maxInFlight: 2 });
    scene.member.stopListening();
    const pushes = ["a", "b", "c"].map((name) => new TestPush(scene, name));
    for (const push of pushes) expect(await push.over()).toBe("unreachable");
    expect(scene.events[0]).toStartWith("reported: Cannot connect to 127.0.0.1:");
    expect(scene.events.filter((event) => event.endsWith("unreachable")).length).toBe(3);
    expect(scene.client.inFlight).toBe(0);
  });

  test("reports a member that drops a push and is dead before the push fails", async () => {
    const scene = await startScene();
    await new TestPush(scene, "a").over();
    scene.member.script = {
      onHead: (push) => {
        scene.member.stopListening();
        push.reset();
      },
    };
    const push = new TestPush(scene, "b", false);
    expect(await push.over()).toBe("dead");
    expect(scene.events.slice(1)).toEqual(["reported: connection refused", "b: dead"]);
  });

  test("looks after a member that closes an idle connection, and reports it if it is gone", async () => {
    const scene = await startScene();
    await new TestPush(scene, "a").over();
    scene.member.latest.reset();
    await waitFor("the probe to arrive", () => scene.member.accepted === 2);
    await new TestPush(scene, "b").over();
    expect(scene.events).toEqual(["a: 200", "b: 200"]);
    scene.member.stopListening();
    scene.member.latest.reset();
    await waitFor("the report", () => scene.events.length === 3);
    expect(scene.events.at(-1)).toBe("reported: connection refused");
  });

  test("closes its idle connections when it retires, and the others as soon as they are free", async () => {
    const scene = await startScene({ onPush: () => {} });
    const [first, second] = [new TestPush(scene, "a"), new TestPush(scene, "b")];
    await arrived(scene, 2);
    const [idle, busy] = scene.member.pushes;
    const [ended, other] = idle?.body === "a" ? [first, second] : [second, first];
    idle?.respond();
    await ended.over();
    scene.client.retire();
    await idle?.closed;
    busy?.respond();
    expect(await other.over()).toBe("200");
    await busy?.closed;
  });

  test("leaves a member alone that answers probes, however long its pushes take", async () => {
    const scene = await startScene({ onPush: () => {} }, { stallTimeoutMs: 10 });
    const push = new TestPush(scene, "a");
    await arrived(scene, 1);
    for (let probes = 1; probes <= 3; probes++) {
      await waitFor("a probe", () => {
        scene.client.watch(performance.now());
        return scene.member.accepted > probes;
      });
    }
    expect(scene.events).toEqual([]);
    scene.member.latest.respond();
    expect(await push.over()).toBe("200");
  });
});
