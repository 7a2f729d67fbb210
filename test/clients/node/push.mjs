// Pushes, adds to and deletes groups through prom-client. Usage: node push.mjs URL
import { Counter, Gauge, Histogram, Pushgateway, Registry } from "prom-client";

const url = process.argv[2];

// prom-client escapes by itself but for the slash and the empty value, which it cannot express.
function group(number) {
  return { jobName: "node", groupings: { zone: `z ${number % 3}`, instance: `höst-${number}` } };
}

// A status of 3xx counts as success for prom-client, so the program looks for itself.
function mustBe2xx({ resp }) {
  if (resp.statusCode < 200 || resp.statusCode > 299) throw new Error(`status ${resp.statusCode}`);
}

for (let number = 0; number < 12; number++) {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({ name: "batch_records", help: "Records.", labelNames: ["kind"], registers }).set({ kind: "read" }, number);
  new Histogram({ name: "batch_seconds", help: "Time taken.", registers }).observe(number / 10);
  mustBe2xx(await new Pushgateway(url, {}, registry).push(group(number)));
}

for (let number = 0; number < 12; number += 2) {
  const registry = new Registry();
  new Counter({ name: "batch_errors_total", help: "Errors so far.", registers: [registry] }).inc(number);
  mustBe2xx(await new Pushgateway(url, {}, registry).pushAdd(group(number)));
}

for (let number = 0; number < 3; number++) {
  mustBe2xx(await new Pushgateway(url).delete(group(number)));
}
