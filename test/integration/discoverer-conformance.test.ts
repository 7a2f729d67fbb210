import { describe, expect, test } from "bun:test";
import { NOP_LOGGER } from "../../src/log.ts";
import { ConsulDiscoverer } from "../../src/membership/discovery/consul-discoverer.ts";
import type { Discoverer, Target } from "../../src/membership/discovery/discoverer.ts";
import { StaticDiscoverer } from "../../src/membership/discovery/static-discoverer.ts";
import { type MembershipObserver, NOP_OBSERVER } from "../../src/membership/membership-observer.ts";
import { FakeConsul, healthEntries } from "../support/fake-consul.ts";
import { consulOptions, FAST_CHECKS } from "../support/membership.ts";
import { waitFor } from "../support/wait-for.ts";

/** What every mechanism has to bring along to be put through the suite. */
interface Mechanism {
  readonly name: string;
  /** A discoverer of the given addresses, and how to break its source. Undefined where nothing can break. */
  start(addresses: readonly string[], observer: MembershipObserver): Subject;
}

interface Subject extends Disposable {
  readonly discoverer: Discoverer;
  readonly breakSource: (() => void) | undefined;
}

const MECHANISMS: readonly Mechanism[] = [
  {
    name: "static",
    start: (addresses, observer) => ({
      discoverer: new StaticDiscoverer(addresses, [], observer),
      breakSource: undefined,
      [Symbol.dispose]: () => {},
    }),
  },
  {
    name: "consul",
    start: (addresses, observer) => {
      const consul = new FakeConsul();
      consul.change({ body: healthEntries(...addresses) });
      return {
        discoverer: new ConsulDiscoverer(
          consulOptions(consul.address, { register: false }),
          { servers: [], draining: [], known: [], removed: [], healthCheck: FAST_CHECKS },
          { log: NOP_LOGGER, observer },
        ),
        breakSource: () => consul.change({ status: 500, index: "99" }),
        [Symbol.dispose]: () => consul[Symbol.dispose](),
      };
    },
  },
];

/** Runs a discoverer and remembers its reports. */
class Run implements AsyncDisposable {
  readonly reports: (readonly Target[])[] = [];
  readonly abort = new AbortController();
  readonly ended: Promise<void>;

  constructor(discoverer: Discoverer) {
    this.ended = discoverer.run((targets) => this.reports.push(targets), this.abort.signal);
  }

  async firstReport(): Promise<readonly Target[]> {
    return await waitFor("the first report", () => this.reports[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.abort.abort();
    await this.ended;
  }
}

function addressesOf(targets: readonly Target[] | undefined): readonly string[] {
  return targets?.map(({ address }) => address) ?? [];
}

describe.each(MECHANISMS)("A discoverer by $name", ({ name, start }) => {
  test("bears the name of its mechanism", () => {
    using subject = start([], NOP_OBSERVER);
    expect(subject.discoverer.mechanism).toBe(name);
  });

  test("reports the full set at once, sorted and without duplicates, and counts a success", async () => {
    const successes: string[] = [];
    const observer = { ...NOP_OBSERVER, refreshSucceeded: (mechanism: string) => void successes.push(mechanism) };
    using subject = start(["127.0.0.3:9091", "127.0.0.1:9091", "127.0.0.2:9091", "127.0.0.1:9091"], observer);
    await using run = new Run(subject.discoverer);
    expect(addressesOf(await run.firstReport())).toEqual(["127.0.0.1:9091", "127.0.0.2:9091", "127.0.0.3:9091"]);
    expect(successes[0]).toBe(name);
  });

  test("keeps the set when a refresh fails, and counts the failure", async () => {
    const failures: string[] = [];
    using subject = start(["127.0.0.1:9091"], {
      ...NOP_OBSERVER,
      refreshFailed: (mechanism) => void failures.push(mechanism),
    });
    await using run = new Run(subject.discoverer);
    await run.firstReport();
    if (subject.breakSource === undefined) return;
    subject.breakSource();
    await waitFor("some failures", () => failures.length >= 3);
    expect(failures).toEqual(failures.map(() => name));
    for (const report of run.reports) expect(addressesOf(report)).toEqual(["127.0.0.1:9091"]);
  });

  test("ends promptly when aborted, and reports nothing afterwards", async () => {
    using subject = start(["127.0.0.1:9091"], NOP_OBSERVER);
    const run = new Run(subject.discoverer);
    await run.firstReport();
    run.abort.abort();
    await run.ended;
    const reports = run.reports.length;
    subject.breakSource?.();
    await Bun.sleep(50);
    expect(run.reports).toHaveLength(reports);
  });

  test("reports nothing when aborted before its start", async () => {
    using subject = start(["127.0.0.1:9091"], NOP_OBSERVER);
    const reports: unknown[] = [];
    await subject.discoverer.run((targets) => reports.push(targets), AbortSignal.abort());
    expect(reports).toEqual([]);
  });
});
