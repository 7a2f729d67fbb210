import { part } from "../support/parts.ts";
import { runCommand } from "../support/run-command.ts";
import { describePushClient } from "./push-client.ts";

/** Runs curl so that anything but a 2xx is an error, as careful scripts do. */
async function curl(...args: readonly string[]): Promise<void> {
  const status = await runCommand([await part("curl"), "-sS", "-o", "/dev/null", "-w", "%{http_code}", ...args]);
  if (!/^2\d\d$/.test(status)) throw new Error(`curl ${args.join(" ")}: status ${status}`);
}

/** What a script does with curl; `follow` is -L or nothing. */
async function pushWith(follow: readonly string[], url: string): Promise<void> {
  const group = (number: number) => `${url}/metrics/job/curl/zone/z${number % 3}/instance/h%C3%B6st%20${number}`;
  for (let number = 0; number < 12; number++) {
    await curl(...follow, "-X", "PUT", "--data-binary", `batch_records{kind="read"} ${number}\n`, group(number));
  }
  for (let number = 0; number < 12; number += 2) {
    await curl(...follow, "--data-binary", `batch_errors_total ${number}\n`, group(number));
  }
  for (let number = 0; number < 3; number++) await curl(...follow, "-X", "DELETE", group(number));
  await curl(
    ...follow,
    "--data-binary",
    "batch_odd 1\n",
    `${url}/metrics/job@base64/Y3VybC9vZGQ/path@base64/L3Zhci9saWI`,
  );
}

await describePushClient({
  name: "curl",
  parts: ["curl"],
  modes: ["proxy", "auto"],
  groups: 10,
  redirected: {},
  run: (url) => pushWith([], url),
});

await describePushClient({
  name: "curl -L",
  parts: ["curl"],
  modes: ["proxy", "redirect", "auto"],
  groups: 10,
  // The router cannot see -L, so "auto" proxies.
  redirected: { redirect: 19 },
  run: (url) => pushWith(["-L"], url),
});
