import { join } from "node:path";
import { part } from "../support/parts.ts";
import { runCommand } from "../support/run-command.ts";
import { describePushClient } from "./push-client.ts";

// urllib follows a 307 neither for PUT nor for DELETE, so "redirect" would fail every push.
await describePushClient({
  name: "Python prometheus_client",
  parts: ["python"],
  modes: ["proxy", "auto"],
  groups: 11,
  redirected: {},
  run: async (url) => {
    // Creation times would differ between two runs.
    const env = { PROMETHEUS_DISABLE_CREATED_SERIES: "true" };
    await runCommand([await part("python"), join(import.meta.dir, "python/push.py"), url], { env });
  },
});
