import { expect, test } from "bun:test";
import { startConsul } from "../support/consul.ts";
import { describeWithParts } from "../support/parts.ts";
import { waitFor } from "../support/wait-for.ts";

interface Check {
  readonly CheckID: string;
  readonly Status: string;
}

await describeWithParts(["consul"], "Consul", () => {
  const definition = {
    ID: "127.0.0.1_1",
    Name: "pushgateway",
    Address: "127.0.0.1",
    Port: 1,
    Check: { CheckID: "service:127.0.0.1_1", HTTP: "http://127.0.0.1:1/", Interval: "168h", Status: "passing" },
  };

  async function checksOf(consul: {
    call<T>(method: "GET", path: string): Promise<T>;
  }): Promise<Record<string, string>> {
    const checks = await consul.call<Record<string, Check>>("GET", "/v1/agent/checks");
    return Object.fromEntries(Object.values(checks).map(({ CheckID, Status }) => [CheckID, Status]));
  }

  // So the registrar may say what it saw itself, without ever overruling what Consul saw since.
  test("heeds the status of a registration for a new check only", async () => {
    await using consul = await startConsul();
    await consul.register(definition);
    expect(await checksOf(consul)).toEqual({ "service:127.0.0.1_1": "passing" });
    await consul.register({ ...definition, Check: { ...definition.Check, Status: "critical" } });
    expect(await checksOf(consul)).toEqual({ "service:127.0.0.1_1": "passing" });
  });

  // So the registrar names its check instead of asking Consul to replace them all.
  test("lifts the maintenance mode of a service that is registered with replace-existing-checks, and only then", async () => {
    await using consul = await startConsul();
    await consul.register(definition);
    await consul.maintain(definition.ID, true);
    await consul.register(definition);
    expect(await checksOf(consul)).toContainKey(`_service_maintenance:${definition.ID}`);
    await consul.call("PUT", "/v1/agent/service/register?replace-existing-checks=true", definition);
    expect(await checksOf(consul)).not.toContainKey(`_service_maintenance:${definition.ID}`);
  });

  // So a check that says critical is confirmed by a look of our own before a member is taken out.
  test("starts all HTTP checks as critical when an agent restarts", async () => {
    await using consul = await startConsul({ persistent: true });
    const passes = `${consul.url}/v1/status/leader`;
    await consul.register({ ...definition, Check: { ...definition.Check, HTTP: passes } });
    expect(await checksOf(consul)).toEqual({ "service:127.0.0.1_1": "passing" });
    await consul.restart();
    const checks = await waitFor("the services to be back", () => checksOf(consul));
    expect(checks).toEqual({ "service:127.0.0.1_1": "critical" });
  });
});
