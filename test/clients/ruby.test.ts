import { rm } from "node:fs/promises";
import { join } from "node:path";
import { part } from "../support/parts.ts";
import { runCommand } from "../support/run-command.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { describePushClient } from "./push-client.ts";

// Net::HTTP follows no redirect.
await describePushClient({
  name: "Ruby prometheus-client (Debian's mmap fork)",
  parts: ["ruby"],
  modes: ["proxy", "auto"],
  groups: 9,
  redirected: {},
  run: async (url) => {
    const folder = await temporaryFolder("ruby");
    try {
      const env = { prometheus_multiproc_dir: folder, LC_ALL: "C.UTF-8" };
      await runCommand([await part("ruby"), join(import.meta.dir, "ruby/push.rb"), url], { env });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
});
