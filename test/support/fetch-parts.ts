/**
 * Fetches outside programs into .cache/parts: `bun test/support/fetch-parts.ts [PART...]`, all of them by default. Suites are
 * fetched side by side, the parts of one suite one after the other under a lock of the kernel (flock), which no dead
 * process can leave behind.
 */
import { chmod, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { SuiteMirror } from "./apt.ts";
import { PART_NAMES, PART_RECIPES, type PartName, type PartRecipe } from "./part-recipes.ts";
import { CACHE, findPart, partFolder } from "./parts.ts";
import { tryCommand } from "./run-command.ts";

const ATTEMPTS = 3;
const LOCK_WAIT_SECONDS = 540;
const HOLDS_LOCK = "--holding-the-lock-of-the-suite";

async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((arg) => arg !== HOLDS_LOCK).map(partName);
  const wanted = names.length === 0 ? PART_NAMES : names;
  if (args.includes(HOLDS_LOCK)) return await fetchUnderLock(wanted);
  const missing = await missingOf(wanted);
  const suites = [...new Set(missing.map((name) => PART_RECIPES[name].suite))];
  const results = await Promise.all(
    suites.map((suite) =>
      fetchSuite(
        suite,
        missing.filter((name) => PART_RECIPES[name].suite === suite),
      ),
    ),
  );
  return results.every((exitCode) => exitCode === 0) ? 0 : 1;
}

function partName(text: string): PartName {
  const name = PART_NAMES.find((known) => known === text);
  if (name === undefined) throw new Error(`Cannot fetch part "${text}": known parts are ${PART_NAMES.join(", ")}`);
  return name;
}

async function missingOf(names: readonly PartName[]): Promise<readonly PartName[]> {
  const found = await Promise.all(names.map(findPart));
  return names.filter((_, index) => found[index] === undefined);
}

async function fetchSuite(suite: string, names: readonly PartName[]): Promise<number> {
  await mkdir(join(CACHE, "apt", suite), { recursive: true });
  const lock = join(CACHE, "apt", suite, "lock");
  const again = [process.execPath, import.meta.path, HOLDS_LOCK, ...names];
  const result = await tryCommand(["flock", "--wait", String(LOCK_WAIT_SECONDS), lock, ...again], {
    timeoutMs: (LOCK_WAIT_SECONDS + 600) * 1_000,
  });
  process.stdout.write(result.stdout);
  process.stderr.write(result.stderr);
  return result.exitCode;
}

async function fetchUnderLock(names: readonly PartName[]): Promise<number> {
  const failures: unknown[] = [];
  // Another process may have fetched some of them while this one waited for the lock.
  for (const name of await missingOf(names)) {
    try {
      await fetchPart(name);
    } catch (error) {
      failures.push(error);
      process.stderr.write(`Cannot fetch part "${name}": ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  return failures.length === 0 ? 0 : 1;
}

async function fetchPart(name: PartName): Promise<void> {
  // A part of the same package may have come with an earlier one.
  if ((await findPart(name)) !== undefined) return;
  const recipe: PartRecipe = PART_RECIPES[name];
  const mirror = new SuiteMirror(recipe.suite, join(CACHE, "apt", recipe.suite));
  const folder = partFolder(recipe);
  const draft = `${folder}.draft`;
  for (let attempt = 1; ; attempt++) {
    try {
      await rm(draft, { recursive: true, force: true });
      await mirror.update({ force: attempt > 1 });
      const archives = await mirror.unpack(recipe.packages, draft);
      await writeLaunchers(folder, draft);
      await rm(folder, { recursive: true, force: true });
      await rename(draft, folder);
      process.stdout.write(`fetched ${name}: ${archives.find((file) => file.startsWith(`${recipe.packages[0]}_`))}\n`);
      return;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await Bun.sleep(1_000 * attempt * (0.5 + Math.random()));
    }
  }
}

/** Writes a launcher for each part whose package this is. It execs the program, so signals and the process id are the program's. */
async function writeLaunchers(folder: string, draft: string): Promise<void> {
  await mkdir(join(draft, "run"));
  const folders = await readdir(join(draft, "usr/lib")).catch(() => []);
  const multiarch = folders.find((name) => name.endsWith("-linux-gnu"));
  for (const name of PART_NAMES) {
    const recipe: PartRecipe = PART_RECIPES[name];
    if (partFolder(recipe) !== folder) continue;
    if (!(await Bun.file(join(draft, recipe.binary)).exists())) {
      throw new Error(`Cannot find "${recipe.binary}" in the packages ${recipe.packages.join(", ")}`);
    }
    const launcher = join(draft, "run", name);
    await Bun.write(launcher, launcherScript(recipe, multiarch));
    await chmod(launcher, 0o755);
  }
}

function launcherScript(recipe: PartRecipe, multiarch: string | undefined): string {
  const environment = Object.entries(recipe.environment ?? {}).map(
    ([name, value]) => `export ${name}="${value.replaceAll("$multiarch", multiarch ?? "")}"`,
  );
  // Debian keeps some libraries in /lib, the rest in /usr/lib.
  const libraries = ["usr/lib", "lib"].map((parent) => `$root/${parent}/${multiarch}`).join(":");
  if (multiarch !== undefined) environment.push(`export LD_LIBRARY_PATH="${libraries}"`);
  return ["#!/bin/sh", `root="\${0%/run/*}"`, ...environment, `exec "$root/${recipe.binary}" "$@"`, ""].join("\n");
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
