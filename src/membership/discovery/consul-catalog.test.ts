import { describe, expect, test } from "bun:test";
import { targetsFromHealth } from "./consul-catalog.ts";

interface EntryOptions {
  readonly node?: string;
  readonly address?: string;
  readonly port?: number;
  readonly tags?: readonly string[] | null;
  /** Check ID to status; `serfHealth` is passing unless given. */
  readonly checks?: Readonly<Record<string, string>>;
}

/** An entry as Consul's health API gives it, with more in it than we read. */
function entry({ node = "n1", address = "10.0.0.1", port = 9091, tags = [], checks = {} }: EntryOptions): unknown {
  const statuses = { serfHealth: "passing", "service:pgw": "passing", ...checks };
  return {
    Node: { ID: "6c2f", Node: node, Address: "192.0.2.1", Datacenter: "dc1", Meta: null },
    Service: {
      ID: "pgw",
      Service: "pushgateway",
      Tags: tags,
      Address: address,
      Port: port,
      Meta: null,
      Weights: { Passing: 1 },
    },
    Checks: Object.entries(statuses).map(([CheckID, Status]) => ({
      Node: node,
      CheckID,
      Status,
      Output: "",
      ServiceTags: [],
    })),
  };
}

describe("targetsFromHealth()", () => {
  test.each<[string, EntryOptions[], readonly [draining: boolean, health: string, reason: string]]>([
    ["all checks passing", [{}], [false, "passing", "passing in Consul"]],
    ["a warning", [{ checks: { "service:pgw": "warning" } }], [false, "passing", "passing in Consul"]],
    [
      "its own check critical",
      [{ checks: { "service:pgw": "critical" } }],
      [false, "critical", "check service:pgw of node n1 is critical in Consul"],
    ],
    [
      "its node lost",
      [{ checks: { serfHealth: "critical" } }],
      [false, "critical", "check serfHealth of node n1 is critical in Consul"],
    ],
    ["the tag draining", [{ tags: ["x", "draining"] }], [true, "passing", "tagged draining in Consul"]],
    ["other tags, or none", [{ tags: null }], [false, "passing", "passing in Consul"]],
    [
      "maintenance mode, which is no illness",
      [{ checks: { "_service_maintenance:pgw": "critical" } }],
      [true, "passing", "in maintenance mode in Consul"],
    ],
    [
      "maintenance mode of its node",
      [{ checks: { _node_maintenance: "critical" } }],
      [true, "passing", "node n1 in maintenance mode in Consul"],
    ],
    [
      "maintenance mode and a critical check",
      [{ checks: { _node_maintenance: "critical", "service:pgw": "critical" } }],
      [true, "critical", "check service:pgw of node n1 is critical in Consul"],
    ],
    [
      "two agents of which one sees it pass",
      [{ node: "n1", checks: { "service:pgw": "critical" } }, { node: "n2" }],
      [false, "passing", "passing in Consul"],
    ],
    [
      "two agents of which neither does",
      [
        { node: "n1", checks: { "service:pgw": "critical" } },
        { node: "n2", checks: { serfHealth: "critical" } },
      ],
      [false, "critical", "check service:pgw of node n1 is critical in Consul"],
    ],
    [
      "two agents of which one has it in maintenance",
      [{ node: "n1" }, { node: "n2", checks: { "_service_maintenance:pgw": "critical" } }],
      [true, "passing", "in maintenance mode in Consul"],
    ],
    [
      "two agents of which one is in maintenance itself",
      [{ node: "n1" }, { node: "n2", checks: { _node_maintenance: "critical" } }],
      [false, "passing", "passing in Consul"],
    ],
    [
      "two agents that are both in maintenance",
      [
        { node: "n1", checks: { _node_maintenance: "critical" } },
        { node: "n2", checks: { _node_maintenance: "critical" } },
      ],
      [true, "passing", "node n1 in maintenance mode in Consul"],
    ],
  ])("reads a service with %s", (_what, entries, [draining, health, reason]) => {
    const targets = targetsFromHealth(entries.map(entry));
    expect(targets).toEqual([{ address: "10.0.0.1:9091", draining, health, reason } as (typeof targets)[number]]);
  });

  test.each<[string, EntryOptions, string[]]>([
    ["takes the service's own address", { address: "10.0.0.7" }, ["10.0.0.7:9091"]],
    ["takes the node's address where the service has none", { address: "" }, ["192.0.2.1:9091"]],
    ["puts IPv6 into brackets", { address: "fe80::1" }, ["[fe80::1]:9091"]],
    ["takes names", { address: "pgw-1.example" }, ["pgw-1.example:9091"]],
    ["leaves out a service without a port", { port: 0 }, []],
  ])("%s", (_what, options, addresses) => {
    expect(targetsFromHealth([entry(options)]).map(({ address }) => address)).toEqual(addresses);
  });

  test("sorts targets by address", () => {
    const targets = targetsFromHealth([entry({ address: "10.0.0.2" }), entry({ address: "10.0.0.1" })]);
    expect(targets.map(({ address }) => address)).toEqual(["10.0.0.1:9091", "10.0.0.2:9091"]);
  });

  test("takes the null that Consul writes for an empty list of checks", () => {
    const answer = [
      {
        Node: { Node: "n", Address: "10.0.0.1" },
        Service: { ID: "s", Address: "", Port: 1, Tags: null },
        Checks: null,
      },
    ];
    expect(targetsFromHealth(answer)).toHaveLength(1);
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["an object", { error: "x" }],
    ["entries without a service", [{ Node: { Node: "n", Address: "a" }, Checks: [] }]],
    [
      "a port in words",
      [{ Node: { Node: "n", Address: "a" }, Service: { ID: "s", Address: "", Port: "http" }, Checks: [] }],
    ],
  ])("throws at %s", (_what, answer) => {
    expect(() => targetsFromHealth(answer)).toThrow();
  });
});
