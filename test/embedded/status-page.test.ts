import { expect, test } from "bun:test";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";

const HOSTILE = `<script>alert("1")</script>&'`;

async function page(server: LocalPushgateway, path: string): Promise<string> {
  const response = await fetch(server.url + path);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
  return await response.text();
}

test.each(["/", "/status"])("%s shows groups, families and flags, and nothing of them as markup", async (path) => {
  await using server = await LocalPushgateway.start({ flags: { "web.external-url": `http://h/${HOSTILE}` } });
  const key = `job@base64/${Buffer.from(HOSTILE).toString("base64url")}/instance/\u00fcber`;
  await fetch(`${server.url}/metrics/${key}`, { method: "PUT", body: "backup_size_bytes 1\n" });
  const html = await page(server, path);
  expect(html).toContain("Groups: 1");
  expect(html).toContain("backup_size_bytes");
  expect(html).toContain("\u00fcber");
  expect(html).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#x27;");
  expect(html).not.toContain("<script");
  expect(html).toContain('<a href="metrics">');
});

test("/ leads to the metrics wherever they are", async () => {
  await using server = await LocalPushgateway.start({ routePrefix: "/pg", telemetryPath: "/own/metrics" });
  const [, link = ""] = /<a href="([^"]+)">Metrics/.exec(await page(server, "/")) ?? [];
  const metrics = await fetch(new URL(link, `${server.url}/`));
  expect(await metrics.text()).toContain("pushgateway_build_info");
});

test("/ shows a failed push as such", async () => {
  await using server = await LocalPushgateway.start();
  await fetch(`${server.url}/metrics/job/a`, { method: "PUT", body: "x 1 1\n" });
  expect(await page(server, "/")).toMatch(/<td>never<\/td><td><span class="failed">\d{4}-/);
});

test("/ shows the first thousand groups of many", async () => {
  await using server = await LocalPushgateway.start();
  const push = (n: number) => fetch(`${server.url}/metrics/job/j/n/${n}`, { method: "PUT", body: "" });
  for (let n = 0; n < 1_010; n += 10) await Promise.all(Array.from({ length: 10 }, (_, i) => push(n + i)));
  const html = await page(server, "/");
  expect(html).toContain("The first 1000 of 1010 groups.");
  expect(html.split("job=&quot;j&quot;").length - 1).toBe(1_000);
});
