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
async function answerFor(members: readonly Member[] | undefined): Promise<readonly [number, string]> {
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
  await httpSdRoute(() => (members === undefined ? undefined : MemberSet.of(members)))(exchange, "");
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
});
