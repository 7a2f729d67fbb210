import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import type { ConsulOptions } from "../../src/membership/discovery/consul-discoverer.ts";
import { type Consul, startConsul } from "../support/consul.ts";
import { freePort } from "../support/free-port.ts";
import { allIn, consulOptions, WatchedMembership } from "../support/membership.ts";
import { describeWithParts, part } from "../support/parts.ts";
import { type Pushgateway, startPushgateways } from "../support/pushgateway.ts";
import { ServerProcess, temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";

// Where a test runs into its own deadline, Bun kills all child processes, those of later tests included.
setDefaultTimeout(30_000);

const USER = "prometheus";
const PASSWORD = "p4ss-word";

/** nginx in front of an agent, letting only our user through. */
async function startProxy(upstream: string): Promise<ServerProcess & { readonly address: string }> {
  const folder = await temporaryFolder("nginx");
  const address = `127.0.0.1:${freePort()}`;
  const temporaryPaths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  // Started by root, nginx reads the users as somebody else.
  await chmod(folder, 0o755);
  await Bun.write(join(folder, "users"), `${USER}:{PLAIN}${PASSWORD}\n`);
  await Bun.write(
    join(folder, "nginx.conf"),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr;
    events {}
    http {
      access_log off; ${temporaryPaths.join(" ")}
      server {
        listen ${address};
        auth_basic consul; auth_basic_user_file ${folder}/users;
        location / { proxy_pass http://${upstream}; proxy_read_timeout 90s; }
      }
    }`,
  );
  const server = new ServerProcess({
    name: `nginx ${address}`,
    argv: [await part("nginx"), "-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")],
    folders: [folder],
    ready: async () => (await fetch(`http://${address}/`)).status === 401,
  });
  await server.start();
  return Object.assign(server, { address });
}

await describeWithParts(["consul", "pushgateway-1.11.0", "nginx"], "Access to Consul", () => {
  let pushgateways: readonly Pushgateway[] = [];
  const addresses = () => pushgateways.map(({ address }) => address);
  const watch = (consul: { readonly address: string }, more: Partial<ConsulOptions> = {}) =>
    new WatchedMembership({ servers: addresses(), consul: consulOptions(consul.address, more) });

  beforeAll(async () => {
    pushgateways = await startPushgateways(2);
  });
  afterAll(async () => {
    await Promise.all(pushgateways.map((pushgateway) => pushgateway.stop()));
  });

  async function servicesAt(consul: Consul): Promise<number> {
    return Object.keys(await consul.services()).length;
  }

  test("by token registers and watches with service:write and node:read", async () => {
    await using consul = await startConsul({ acl: true });
    const token = await consul.createToken('service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }');
    await using watched = watch(consul, { token });
    await waitFor("the services", async () => (await servicesAt(consul)) === 2);
    await consul.maintain(addresses()[0]?.replace(":", "_") ?? "", true);
    await waitFor("the member to drain", () => watched.stateOf(addresses()[0] ?? "") === "draining");
    expect(watched.log).not.toContain("level=warn");
    expect(watched.log).not.toContain(token);
  });

  test("without the right to register runs on what is configured and what is there, and says so", async () => {
    await using consul = await startConsul({ acl: true });
    await consul.register({ ID: "foreign", Name: "pushgateway", Address: "127.0.0.9", Port: 9091 });
    const token = await consul.createToken('service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }');
    await using watched = watch(consul, { token });
    await watched.waitForStates(allIn("active", [...addresses(), "127.0.0.9:9091"]));
    expect(watched.log).toContain("Servers are not registered in Consul, our own checks watch over them");
    expect(watched.log).toContain(
      "403 Permission denied: Missing service:write on pushgateway; check that the token of consul_server may do this",
    );
    expect(watched.log).not.toContain(token);
    expect(await servicesAt(consul)).toBe(1);
  });

  test("without the right to read keeps the members that it has", async () => {
    await using consul = await startConsul({ acl: true });
    await using watched = watch(consul, { token: consul.token });
    await watched.waitForStates(allIn("active", addresses()));
    watched.reload({ consul: consulOptions(consul.address, { token: await consul.createToken("") }) });
    await waitFor("the refusal", () => watched.log.includes("Servers are not registered in Consul"));
    await waitFor("the empty answer", () => watched.log.includes('Consul lists no service \\"pushgateway\\"'));
    await watched.waitForStates(allIn("active", addresses()));
    expect(watched.counts.resharded).toBe(0);
  });

  test("with an unknown token runs on the configured servers until the token is right", async () => {
    await using consul = await startConsul({ acl: true });
    await using watched = watch(consul, { token: "00000000-0000-0000-0000-000000000000" });
    await watched.waitForStates(allIn("active", addresses()));
    await waitFor("the refusal", () => watched.log.includes("403 ACL not found"));
    watched.reload({ consul: consulOptions(consul.address, { token: consul.token }) });
    await waitFor("the services", async () => (await servicesAt(consul)) === 2);
    await watched.waitForStates(allIn("active", addresses()));
    expect(watched.counts.resharded).toBe(0);
  });

  test("by user and password goes through a reverse proxy, whose restart of the agent is an outage like any other", async () => {
    await using consul = await startConsul();
    await using proxy = await startProxy(consul.address);
    await using watched = watch(proxy, { basicAuth: { username: USER, password: PASSWORD } });
    await waitFor("the services", async () => (await servicesAt(consul)) === 2);
    await watched.waitForStates(allIn("active", addresses()));
    await consul.restart();
    // The proxy answers 502 meanwhile; what the agent lost is not taken for an operator's deregistration.
    await waitFor("the services to be back", async () => (await servicesAt(consul)) === 2);
    await watched.waitForStates(allIn("active", addresses()));
    expect(watched.log).toContain("502");
    expect(watched.counts.resharded).toBe(0);
    expect(watched.log).not.toContain(PASSWORD);
  });

  test("with a wrong password runs on the configured servers, and says what to check", async () => {
    await using consul = await startConsul();
    await using proxy = await startProxy(consul.address);
    await using watched = watch(proxy, { basicAuth: { username: USER, password: "wrong-password" } });
    await watched.waitForStates(allIn("active", addresses()));
    await waitFor("the refusal", () => watched.log.includes("check username and password of consul_server"));
    expect(watched.log).not.toContain("wrong-password");
    expect(await servicesAt(consul)).toBe(0);
  });

  test("by TLS presents a client certificate and verifies the agent's", async () => {
    await using consul = await startConsul({ tls: "verify-client" });
    const files = consul.tls;
    if (files === undefined) throw new Error("Cannot test TLS: the agent was started without");
    const tls = {
      ca: await Bun.file(files.caFile).text(),
      cert: await Bun.file(files.certFile).text(),
      key: await Bun.file(files.keyFile).text(),
      serverName: undefined,
      insecureSkipVerify: false,
    };
    {
      await using stranger = watch(consul, { scheme: "https", tls: { ...tls, ca: undefined } });
      await stranger.waitForStates(allIn("active", addresses()));
      await waitFor("the distrust", () => stranger.log.includes("certificate"));
      await using nameless = watch(consul, { scheme: "https", tls: { ...tls, cert: undefined, key: undefined } });
      await waitFor("the refusal", () => nameless.counts.refreshFailed > 0);
      await using misled = watch(consul, { scheme: "https", tls: { ...tls, serverName: "consul.example" } });
      await waitFor("the wrong name", () => misled.counts.refreshFailed > 0);
      expect(await servicesAt(consul)).toBe(0);
    }
    await using watched = watch(consul, { scheme: "https", tls: { ...tls, serverName: "server.dc1.consul" } });
    await waitFor("the services", async () => (await servicesAt(consul)) === 2);
    await watched.waitForStates(allIn("active", addresses()));
    expect(watched.counts.refreshFailed).toBe(0);
    watched.reload({
      consul: consulOptions(consul.address, {
        scheme: "https",
        tls: { ...tls, ca: undefined, insecureSkipVerify: true },
      }),
    });
    await waitFor("another registration", () => watched.log.match(/Registered servers/g)?.length === 2);
  });
});
