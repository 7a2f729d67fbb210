import { expect, test } from "bun:test";
import type { PartName } from "../support/part-recipes.ts";
import { PART_NAMES } from "../support/part-recipes.ts";
import { describeWithParts, part } from "../support/parts.ts";
import { tryCommand } from "../support/run-command.ts";

interface Expectation {
  readonly args: readonly string[];
  readonly says: RegExp;
}

const PYTHON_PROGRAM = "import prometheus_client, ssl, sys; print('Python', sys.version)";
const RUBY_PROGRAM = "require 'prometheus/client'; require 'prometheus/client/push'; puts RUBY_DESCRIPTION";

const EXPECTATIONS: Readonly<Record<PartName, Expectation>> = {
  consul: { args: ["version"], says: /Consul v1\.8\.7/ },
  "pushgateway-1.5.1": { args: ["--version"], says: /pushgateway, version 1\.5\.1 / },
  "pushgateway-1.11.0": { args: ["--version"], says: /pushgateway, version 1\.11\.0 / },
  prometheus: { args: ["--version"], says: /prometheus, version 2\.42\./ },
  promtool: { args: ["--version"], says: /promtool, version 2\.42\./ },
  "prometheus-2.24": { args: ["--version"], says: /prometheus, version 2\.24\./ },
  "promtool-2.24": { args: ["--version"], says: /promtool, version 2\.24\./ },
  nginx: { args: ["-v"], says: /nginx\/1\.22\./ },
  haproxy: { args: ["-v"], says: /HAProxy version 2\.6\./ },
  wrk: { args: ["-v"], says: /wrk debian\/4\.1\.0/ },
  python: { args: ["-c", PYTHON_PROGRAM], says: /^Python 3\.11\./ },
  go: {
    args: ["list", "github.com/prometheus/client_golang/prometheus/push"],
    says: /client_golang\/prometheus\/push/,
  },
  ruby: { args: ["-e", RUBY_PROGRAM], says: /^ruby 3\.1\./ },
  java: { args: ["-version"], says: /version "\d+/ },
  javac: { args: ["-version"], says: /javac \d+/ },
  curl: { args: ["--version"], says: /^curl \d+\./ },
  wget: { args: ["--version"], says: /^GNU Wget \d/ },
  jq: { args: ["--version"], says: /^jq-1\./ },
};

for (const name of PART_NAMES) {
  await describeWithParts([name], `part ${name}`, () => {
    test("starts and says its version", async () => {
      const { args, says } = EXPECTATIONS[name];
      const { stdout, stderr } = await tryCommand([await part(name), ...args]);
      expect(`${stdout}${stderr}`).toMatch(says);
    });
  });
}
