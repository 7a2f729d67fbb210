import { join } from "node:path";
import { part } from "../support/parts.ts";
import { runCommand } from "../support/run-command.ts";
import { buildFolder, describePushClient } from "./push-client.ts";

const classes = buildFolder("java");

await describePushClient({
  name: "Java HttpURLConnection",
  parts: ["java", "javac"],
  modes: ["proxy", "redirect", "auto"],
  groups: 10,
  // Twelve PUT, six POST and the odd one; DELETE is never redirected.
  redirected: { redirect: 19, auto: 19 },
  prepare: async () => {
    const source = join(import.meta.dir, "java/Push.java");
    await runCommand([await part("javac"), "-encoding", "UTF-8", "-d", classes, source]);
  },
  run: async (url) => {
    await runCommand([await part("java"), "-cp", classes, "Push", url]);
  },
});
