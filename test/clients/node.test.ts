import { join } from "node:path";
import { runCommand } from "../support/run-command.ts";
import { describePushClient } from "./push-client.ts";

// prom-client follows no redirect and takes a 307 for success: in mode "redirect" every push would be lost without a word.
await describePushClient({
  name: "npm prom-client on Node",
  parts: [],
  modes: ["proxy", "auto"],
  groups: 9,
  redirected: {},
  run: async (url) => {
    await runCommand(["node", join(import.meta.dir, "node/push.mjs"), url]);
  },
});
