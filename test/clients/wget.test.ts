import { part } from "../support/parts.ts";
import { runCommand } from "../support/run-command.ts";
import { describePushClient } from "./push-client.ts";

async function wget(...args: readonly string[]): Promise<void> {
  await runCommand([await part("wget"), "-q", "--tries=1", "-O", "/dev/null", ...args]);
}

await describePushClient({
  name: "wget",
  parts: ["wget"],
  modes: ["proxy", "redirect", "auto"],
  groups: 9,
  // Twelve PUT and six POST; DELETE is never redirected.
  redirected: { redirect: 18, auto: 18 },
  run: async (url) => {
    const group = (number: number) => `${url}/metrics/job/wget/zone/z${number % 3}/instance/h%C3%B6st%20${number}`;
    for (let number = 0; number < 12; number++) {
      await wget("--method=PUT", `--body-data=batch_records{kind="read"} ${number}\n`, group(number));
    }
    for (let number = 0; number < 12; number += 2) {
      await wget(`--post-data=batch_errors_total ${number}\n`, group(number));
    }
    for (let number = 0; number < 3; number++) await wget("--method=DELETE", group(number));
  },
});
