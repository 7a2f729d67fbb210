import { describe, test } from "bun:test";
import { join, resolve } from "node:path";
import { PART_RECIPES, type PartName, type PartRecipe } from "./part-recipes.ts";
import { tryCommand } from "./run-command.ts";

export const REPOSITORY = resolve(import.meta.dir, "../..");
export const CACHE = join(REPOSITORY, ".cache");
const FETCH_DEADLINE_MS = 600_000;

// A part that cannot be had is asked for only once in a process: every attempt costs retries over the network.
const asked = new Map<PartName, Promise<string>>();

/**
 * The absolute path of a program from outside, fetched on first use. It runs as it is: where a program needs libraries or
 * an environment, the path is that of a small launcher that execs it. Safe to call from several processes at once.
 */
export function part(name: PartName): Promise<string> {
  const known = asked.get(name);
  if (known !== undefined) return known;
  const wanted = findOrFetch(name);
  asked.set(name, wanted);
  return wanted;
}

/**
 * `describe`, for tests that need outside programs. Where one of them cannot be had the tests are skipped, with the reason
 * in their title; under CI=true that is a failure instead. Await the call at the top of the test file.
 */
export async function describeWithParts(names: readonly PartName[], title: string, body: () => void): Promise<void> {
  const results = await Promise.allSettled(names.map((name) => part(name)));
  const missing = results.flatMap((result, index) =>
    result.status === "rejected" ? [{ name: names[index], result }] : [],
  );
  const first = missing[0];
  if (first === undefined) {
    describe(title, body);
    return;
  }
  const reason: unknown = first.result.reason;
  const { CI } = process.env;
  if (CI === "true") {
    describe(title, () => {
      test(`has its parts: ${names.join(", ")}`, () => {
        throw reason;
      });
    });
    return;
  }
  const absent = missing.map(({ name }) => name).join(", ");
  process.stderr.write(`SKIPPED: ${title}: cannot be had: ${absent}: ${String(reason)}\n`);
  describe.skip(`${title} (skipped: no ${absent})`, body);
}

/** Where the packages of a part lie once unpacked. Parts of the same packages share a folder; a changed recipe gets a new one. */
export function partFolder(recipe: PartRecipe): string {
  const { suite, packages, environment = {} } = recipe;
  const fingerprint = Bun.hash
    .xxHash32(JSON.stringify([packages, environment]))
    .toString(16)
    .padStart(8, "0");
  return join(CACHE, "parts", `${suite}-${packages[0]}-${fingerprint}`);
}

/** The path that runs a part, or undefined while it is not there. */
export async function findPart(name: PartName): Promise<string | undefined> {
  const recipe: PartRecipe = PART_RECIPES[name];
  const system = recipe.systemCommand === undefined ? null : Bun.which(recipe.systemCommand);
  if (system !== null) return system;
  const launcher = join(partFolder(recipe), "run", name);
  return (await Bun.file(launcher).exists()) ? launcher : undefined;
}

async function findOrFetch(name: PartName): Promise<string> {
  const present = await findPart(name);
  if (present !== undefined) return present;
  const fetcher = join(import.meta.dir, "fetch-parts.ts");
  const result = await tryCommand([process.execPath, fetcher, name], { timeoutMs: FETCH_DEADLINE_MS });
  const fetched = await findPart(name);
  if (fetched !== undefined) return fetched;
  const said = `${result.stdout}${result.stderr}`.trim();
  throw new Error(
    `Cannot fetch part "${name}": ${said}\nParts come from the Debian mirror in /etc/apt; try "npx bun test/support/fetch-parts.ts ${name}"`,
  );
}
