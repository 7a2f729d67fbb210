import { describe, expect, test } from "bun:test";
import { parseCommandLine, UsageError } from "./command-line.ts";
import { COMMANDS } from "./commands.ts";
import { type PushgatewayFlags, RUN } from "./flags.ts";
import { helpOf } from "./help.ts";

const DEFAULTS = {
  help: false,
  version: false,
  configFile: undefined,
  listenAddress: undefined,
  enableLifecycle: false,
  logLevel: "info",
  logFormat: "logfmt",
};

const PUSHGATEWAY_DEFAULTS = {
  help: false,
  version: false,
  listenAddresses: [anyHost(9091)],
  telemetryPath: "/metrics",
  externalUrl: "",
  routePrefix: "",
  enableLifecycle: false,
  enableAdminApi: false,
  persistenceFile: "",
  persistenceIntervalMs: 300_000,
  persistenceSync: "interval",
  maxBodyBytes: 67_108_864,
  disableConsistencyCheck: false,
  enableUtf8Names: false,
  logLevel: "info",
  logFormat: "logfmt",
};

function anyHost(port: number) {
  return { hostname: "", port };
}

function usageErrorOf(argv: readonly string[]): string {
  try {
    parseCommandLine(argv);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return "";
}

describe("parseCommandLine()", () => {
  test.each([
    [[], {}],
    [["--config.file=a.yml"], { configFile: "a.yml" }],
    [["--config.file", "a.yml"], { configFile: "a.yml" }],
    [["--config.file=--odd.yml"], { configFile: "--odd.yml" }],
    [["--web.listen-address=:9292"], { listenAddress: { hostname: "", port: 9292 } }],
    [["--web.listen-address=[::1]:0"], { listenAddress: { hostname: "::1", port: 0 } }],
    [["--web.enable-lifecycle"], { enableLifecycle: true }],
    [["--no-web.enable-lifecycle"], { enableLifecycle: false }],
    [["--log.level=debug", "--log.format", "json"], { logLevel: "debug", logFormat: "json" }],
    [["--"], {}],
  ])("reads %j", (argv, flags) => {
    expect(parseCommandLine(argv)).toEqual({ kind: "run", flags: { ...DEFAULTS, ...flags } } as never);
  });

  test.each([
    [[], {}],
    [
      ["--web.listen-address=:1", "--web.listen-address=[::1]:2"],
      { listenAddresses: [anyHost(1), { hostname: "::1", port: 2 }] },
    ],
    [["--persistence.file="], { persistenceFile: "" }],
    [
      ["--persistence.file=m.db", "--persistence.interval=1h30m"],
      { persistenceFile: "m.db", persistenceIntervalMs: 5_400_000 },
    ],
    [["--persistence.sync", "push"], { persistenceSync: "push" }],
    [
      ["--push.disable-consistency-check", "--push.enable-utf8-names"],
      { disableConsistencyCheck: true, enableUtf8Names: true },
    ],
    [["--web.route-prefix=/pg", "--web.external-url=http://h/x"], { routePrefix: "/pg", externalUrl: "http://h/x" }],
  ])("reads pushgateway %j", (argv, flags) => {
    const expected = { kind: "pushgateway", flags: { ...PUSHGATEWAY_DEFAULTS, ...flags } };
    expect(parseCommandLine(["pushgateway", ...argv])).toEqual(expected as never);
  });

  test.each([
    [["check-config", "a.yml", "b.yml"], { kind: "check-config", files: ["a.yml", "b.yml"] }],
    [["check-config", "--", "-a.yml"], { kind: "check-config", files: ["-a.yml"] }],
    [["--version"], { kind: "version" }],
  ])("takes %j for a command", (argv, expected) => {
    expect(parseCommandLine(argv)).toEqual(expected as never);
  });

  const CLIENT_DEFAULTS = { help: false, routerUrl: "http://localhost:9292", output: "text", timeoutMs: 600_000 };

  test.each([
    [["groups", "list"], { kind: "groups-list", flags: { ...CLIENT_DEFAULTS, match: [] } }],
    [
      ["--output=json", "groups", "--match", '{a="b"}', "list", "--match={c=~'d'}", "--router.url=https://r:1/x/"],
      {
        kind: "groups-list",
        flags: { ...CLIENT_DEFAULTS, output: "json", match: ['{a="b"}', "{c=~'d'}"], routerUrl: "https://r:1/x" },
      },
    ],
    [
      ["groups", "delete", '--match={a="b"}', "--timeout=1m"],
      { kind: "groups-delete", flags: { ...CLIENT_DEFAULTS, timeoutMs: 60_000, match: ['{a="b"}'], dryRun: false } },
    ],
    [
      ["plan", "--add", "a:1", "--add", "[::1]:2", "--remove=b:3"],
      { kind: "plan", flags: { ...CLIENT_DEFAULTS, add: ["a:1", "[::1]:2"], remove: ["b:3"] } },
    ],
    [["evacuate", "a:0080"], { kind: "evacuate", flags: CLIENT_DEFAULTS, address: "a:80" }],
  ])("takes %j for a command that asks a router", (argv, expected) => {
    expect(parseCommandLine(argv)).toEqual(expected as never);
  });

  test.each([
    [["--help"]],
    [["groups", "delete", "-h"]],
    [["evacuate", "--help"]],
    [["-h"]],
    [["--help", "--version"]],
    [["check-config", "--help"]],
    [["--help", "check-config"]],
  ])("answers %j with help", (argv) => {
    expect(parseCommandLine(argv)).toMatchObject({
      kind: "help",
      text: expect.stringContaining("usage: dynamic-sharding"),
    });
  });

  test.each([
    [["--lgo.level=debug"], 'unknown flag "--lgo.level" for dynamic-sharding; did you mean "--log.level"?'],
    [["-log.level=debug"], 'unknown flag "-log.level" for dynamic-sharding; did you mean "--log.level"?'],
    [["--lgo.level", "debug"], 'unknown flag "--lgo.level" for dynamic-sharding; did you mean "--log.level"?'],
    [["-x"], 'unknown flag "-x" for dynamic-sharding'],
    [["-hx"], 'unknown flag "-hx" for dynamic-sharding'],
    [["--toString"], 'unknown flag "--toString" for dynamic-sharding'],
    [["--__proto__=1"], 'unknown flag "--__proto__" for dynamic-sharding'],
    [["check-config", "--log.level=info", "a.yml"], 'unknown flag "--log.level" for dynamic-sharding check-config'],
    [["check-confg", "a.yml"], 'unknown command "check-confg"; did you mean "check-config"?'],
    [["serve"], 'unknown command "serve"'],
    [["check-config"], "check-config: expected at least one file"],
    [["groups"], "expected one of the commands groups list, groups delete"],
    [["groups", "lst"], "expected one of the commands groups list, groups delete"],
    [["groups", "list", "all"], 'groups list: unexpected argument "all"'],
    [["groups", "list", "--dry-run"], 'unknown flag "--dry-run" for dynamic-sharding groups list'],
    [["groups", "delete"], "groups delete: expected at least one --match=SELECTOR"],
    [["groups", "delete", "--dry-run"], "groups delete: expected at least one --match=SELECTOR"],
    [
      ["groups", "delete", '--match={job=~".*"}'],
      'flag --match: Cannot read the selector {job=~".*"} at character 1: expected at least one matcher that does not match the empty string, such as job="a" or job=~".+"',
    ],
    [
      ["groups", "list", "--router.url=localhost:9292"],
      'flag --router.url: expected a URL such as http://localhost:9292, got "localhost:9292"',
    ],
    [
      ["groups", "list", "--router.url=http://me:secret@r"],
      "flag --router.url: expected a URL such as http://localhost:9292, without user name and password",
    ],
    [
      ["groups", "list", "--router.url=http://r/?a=b"],
      'flag --router.url: expected a URL such as http://localhost:9292, without query and fragment, got "http://r/?a=b"',
    ],
    [["groups", "list", "--timeout=0"], 'flag --timeout: expected at least 1ms, got "0"'],
    [["plan"], "plan: expected at least one --add=HOST:PORT or --remove=HOST:PORT"],
    [["plan", "--add=pg-1"], 'flag --add: expected host:port such as "localhost:8500", got "pg-1" without a port'],
    [["evacuate"], "evacuate: expected a host:port"],
    [["evacuate", "a:1", "b:1"], 'evacuate: unexpected argument "b:1"'],
    [["evacuate", "a"], 'evacuate: expected host:port such as "localhost:8500", got "a" without a port'],
    [["--log.level"], "flag --log.level needs a value; write --log.level=VALUE"],
    [["--config.file", "--log.level=info"], "flag --config.file needs a value; write --config.file=VALUE"],
    [["--no-log.level"], "flag --log.level cannot be negated; give it a value"],
    [
      ["--web.enable-lifecycle=false"],
      "flag --web.enable-lifecycle takes no value; write --no-web.enable-lifecycle to switch it off",
    ],
    [["--log.level=info", "--log.level=info"], "flag --log.level is given more than once"],
    [
      ["--log.level=debgu"],
      'flag --log.level: expected one of debug, info, warn, error, got "debgu"; did you mean "debug"?',
    ],
    [["--log.format="], 'flag --log.format: expected one of logfmt, json, got ""'],
    [["pushgateway", "--config.file=a.yml"], 'unknown flag "--config.file" for dynamic-sharding pushgateway'],
    [["pushgateway", "--web.config.file=x"], 'unknown flag "--web.config.file" for dynamic-sharding pushgateway'],
    [
      ["--web.config.file", "x", "pushgateway"],
      'unknown flag "--web.config.file" for dynamic-sharding; did you mean "--config.file"?',
    ],
    [["--persistence.file=x"], 'unknown flag "--persistence.file" for dynamic-sharding'],
    [
      ["pushgateway", "--web.telemetry-path=x"],
      'flag --web.telemetry-path: expected a path such as "/metrics", got "x"',
    ],
    ...["/", "/./", "/status", "//status/", "/-/healthy", "/-/quit", "/api/v1/metrics", "/static/x"].map(
      (path): [string[], string] => [
        ["pushgateway", `--web.telemetry-path=${path}`],
        `flag --web.telemetry-path: expected a path such as "/metrics", got "${path}", where another page is`,
      ],
    ),
    ...["", "/m?x", "/m#x", "/m x"].map((path): [string[], string] => [
      ["pushgateway", `--web.telemetry-path=${path}`],
      `flag --web.telemetry-path: expected a path such as "/metrics", got "${path}"`,
    ]),
    ...["localhost:9091/foo", "foo", "//host/foo", "ftp://host/foo", "http://", "http:/foo"].map(
      (url): [string[], string] => [
        ["pushgateway", `--web.external-url=${url}`],
        `flag --web.external-url: expected a URL such as "http://host/path", got "${url}"`,
      ],
    ),
    [
      ["pushgateway", "--persistence.interval=5"],
      'flag --persistence.interval: expected a duration such as "5m", "1h30m" or "1.5s", got "5"',
    ],
    [["pushgateway", "file"], 'pushgateway: unexpected argument "file"'],
    [["--config.file="], "flag --config.file: expected the name of a file, got nothing"],
    [
      ["--web.listen-address=9292"],
      'flag --web.listen-address: expected an address to listen on such as ":9292" or "127.0.0.1:9292", got "9292"',
    ],
  ])("refuses %j", (argv, message) => {
    expect(usageErrorOf(argv)).toBe(message);
  });

  test.each([
    ["/metrics/", "/metrics"],
    ["//own/./x", "/own/x"],
    ["/status/metrics", "/status/metrics"],
    ["/-/metrics", "/-/metrics"],
    ["/metrics/job/x", "/metrics/job/x"],
  ])("takes the telemetry path %s for %s", (path, cleaned) => {
    const { flags } = parseCommandLine(["pushgateway", `--web.telemetry-path=${path}`]) as { flags: PushgatewayFlags };
    expect(flags.telemetryPath).toBe(cleaned);
  });
});

describe("helpOf()", () => {
  test.each(COMMANDS.map((command) => [command.name || "dynamic-sharding", command] as const))(
    "names every flag of %s within 100 columns",
    (_, command) => {
      const help = helpOf(command);
      for (const { name } of Object.values(command.flags)) expect(help).toContain(`--${name}`);
      for (const line of help.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
    },
  );

  test("gives a flag too long for its column a line of its own", () => {
    expect(helpOf(RUN)).toContain(
      '      --config.file="dynamic-sharding.yml"\n                               Configuration file.\n',
    );
    expect(helpOf(RUN)).toContain("  -h, --help                   Show this help and exit.\n");
  });
});
