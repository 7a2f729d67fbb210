import { describe, expect, test } from "bun:test";
import { parseRequestHead } from "../http/request-head.ts";
import { HttpExchange } from "../http/server-exchange.ts";
import type { Member, MemberState } from "../membership/member.ts";
import { MemberSet } from "../membership/member-set.ts";
import { httpSdRoute } from "./http-sd.ts";

function member(address: string, state: MemberState): Member {
  return { address, state, draining: state === "draining", since: 0, reason: "" };
}

/** Status and body of the answer for these members. */
async function answerFor(members: readonly Member[] | undefined, query = ""): Promise<readonly [number, string]> {
  let body = "";
  const head = Buffer.from("GET /sd/pushgateways HTTP/1.1\r\nHost: r");
  const exchange = new HttpExchange(parseRequestHead(head, 0, head.length), {
    remoteAddress: "",
    httpDate: "",
    startBody() {},
    pauseBody() {},
    resumeBody() {},
    sendHead() {},
    sendBody: (chunk) => {
      body += chunk.toString();
      return true;
    },
    finishResponse() {},
    terminate() {},
  });
  await httpSdRoute(() => (members === undefined ? undefined : MemberSet.of(members)))(exchange, query);
  return [exchange.status, body];
}

describe("httpSdRoute()", () => {
  test("lists members in the order of addresses, those that come back only once they have", async () => {
    const [status, body] = await answerFor([
      member("10.0.0.3:9091", "draining"),
      member("10.0.0.4:9091", "down"),
      member("10.0.0.2:9091", "joining"),
      member("[fd00::1]:9091", "active"),
      member("10.0.0.1:9091", "active"),
    ]);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual([
      { targets: ["10.0.0.1:9091"], labels: { __meta_dynamic_sharding_state: "active" } },
      { targets: ["10.0.0.3:9091"], labels: { __meta_dynamic_sharding_state: "draining" } },
      { targets: ["10.0.0.4:9091"], labels: { __meta_dynamic_sharding_state: "down" } },
      { targets: ["[fd00::1]:9091"], labels: { __meta_dynamic_sharding_state: "active" } },
    ]);
  });

  test("is an empty list for no members, and no list where they are not known", async () => {
    expect(await answerFor([])).toEqual([200, "[]"]);
    expect((await answerFor(undefined))[0]).toBe(503);
  });

  test("gives each member to one of several Prometheus, the same one whoever else is there", async () => {
    const members = Array.from({ length: 40 }, (_, index) => member(`10.0.0.${index}:9091`, "active"));
    const shardsOf = async (some: readonly Member[]) => {
      const shards = new Map<string, number>();
      for (const shard of [0, 1, 2]) {
        const [status, body] = await answerFor(some, `shard=${shard}&of=3`);
        expect(status).toBe(200);
        for (const { targets } of JSON.parse(body) as { targets: [string] }[]) {
          expect(shards.has(targets[0])).toBe(false);
          shards.set(targets[0], shard);
        }
      }
      return shards;
    };
    const all = await shardsOf(members);
    expect([...all.keys()].sort()).toEqual(members.map(({ address }) => address).sort());
    expect(new Set(all.values()).size).toBe(3);
    const few = await shardsOf(members.slice(0, 7));
    for (const [address, shard] of few) expect([address, shard]).toEqual([address, all.get(address) as number]);
    expect(few.size).toBe(7);
  });

  test.each([
    "shard=0",
    "of=2",
    "shard=2&of=2",
    "shard=-1&of=2",
    "shard=0&of=0",
    "shard=a&of=2",
    "shard=0&of=1e1",
    "shard=0&of=99999",
  ])("refuses ?%s", async (query) => {
    const [status, body] = await answerFor([], query);
    expect([status, body]).toEqual([400, "Want ?shard=<i>&of=<n>, whole numbers with 0 <= i < n <= 10000\n"]);
  });
});
