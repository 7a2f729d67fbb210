import { mkdir, readdir, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { type DebianSource, debianSource } from "./apt-source.ts";
import { runCommand, tryCommand } from "./run-command.ts";

const APT_DEADLINE_MS = 240_000;
const LISTS_FRESH_MS = 24 * 3_600_000;

/**
 * Debian packages of another suite than the machine's, from the mirror that the machine itself uses. All of apt's state lies
 * in one private folder: nothing is installed, nothing of the system changes, and no privilege is needed. Not safe for
 * several processes at once; the caller holds a lock.
 */
export class SuiteMirror {
  readonly #suite: string;
  readonly #home: string;

  constructor(suite: string, home: string) {
    this.#suite = suite;
    this.#home = home;
  }

  /** Fetches the package lists. Lists younger than a day are kept unless a fresh copy is asked for. */
  async update(options: { readonly force: boolean }): Promise<void> {
    const lists = join(this.#home, "state/lists");
    if (!options.force && (await ageMs(join(this.#home, "updated"))) < LISTS_FRESH_MS) return;
    await mkdir(join(lists, "partial"), { recursive: true });
    await mkdir(join(this.#home, "cache/archives/partial"), { recursive: true });
    await Bun.write(join(this.#home, "status"), "");
    const source = await machineSource();
    await Bun.write(join(this.#home, source.fileName), source.forSuite(this.#suite));
    await Bun.write(join(this.#home, "apt.conf"), this.#configuration(source.fileName));
    await this.#apt(["update"]);
    await Bun.write(join(this.#home, "updated"), new Date().toISOString());
  }

  /** Downloads and unpacks packages into a new folder. Returns the file names of the packages, which carry their versions. */
  async unpack(packages: readonly string[], into: string): Promise<readonly string[]> {
    const downloads = `${into}.debs`;
    await rm(downloads, { recursive: true, force: true });
    await mkdir(downloads, { recursive: true });
    await this.#apt(["download", ...packages], downloads);
    const archives = (await readdir(downloads)).filter((file) => file.endsWith(".deb")).sort();
    if (archives.length !== packages.length) {
      throw new Error(
        `Cannot download ${packages.length} packages of ${this.#suite}: got ${archives.join(", ") || "none"}`,
      );
    }
    await mkdir(into, { recursive: true });
    for (const archive of archives) await runCommand(["dpkg", "-x", join(downloads, archive), into]);
    await rm(downloads, { recursive: true, force: true });
    await keepSymlinksInside(into);
    return archives;
  }

  async #apt(command: readonly string[], cwd = this.#home): Promise<void> {
    await runCommand(["apt-get", "-q", "-c", join(this.#home, "apt.conf"), ...command], {
      cwd,
      env: { LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
      timeoutMs: APT_DEADLINE_MS,
    });
  }

  // Read after the machine's own configuration, so proxies and date checks stay as the machine has them, while hooks that
  // would touch the system are cleared.
  #configuration(sourceFile: string): string {
    return [
      `Dir::State "${this.#home}/state";`,
      `Dir::State::status "${this.#home}/status";`,
      `Dir::Cache "${this.#home}/cache";`,
      `Dir::Etc::sourcelist "${this.#home}/${sourceFile}";`,
      'Dir::Etc::sourceparts "/dev/null";',
      'Dir::Etc::preferences "/dev/null";',
      'Dir::Etc::preferencesparts "/dev/null";',
      'APT::Sandbox::User "";',
      'APT::Update::Error-Mode "any";',
      'Acquire::Languages "none";',
      'Acquire::http::Timeout "30";',
      'Acquire::https::Timeout "30";',
      "#clear APT::Update::Pre-Invoke;",
      "#clear APT::Update::Post-Invoke;",
      "#clear APT::Update::Post-Invoke-Success;",
      "",
    ].join("\n");
  }
}

/** The entry of the machine's apt configuration that names Debian's main archive. */
async function machineSource(): Promise<DebianSource> {
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(await Bun.file("/etc/os-release").text())?.[1] ?? "";
  for (const file of await sourceFiles()) {
    const source = debianSource(file, await Bun.file(file).text(), codename);
    if (source !== undefined) return source;
  }
  throw new Error(
    `Cannot find Debian's archive in "/etc/apt": no entry for suite "${codename}" with component main; parts need a Debian machine`,
  );
}

async function sourceFiles(): Promise<readonly string[]> {
  const parts = await readdir("/etc/apt/sources.list.d").catch(() => []);
  const files = parts.filter((name) => /\.(sources|list)$/.test(name)).sort();
  const candidates = ["/etc/apt/sources.list", ...files.map((name) => `/etc/apt/sources.list.d/${name}`)];
  const present = await Promise.all(candidates.map((file) => Bun.file(file).exists()));
  return candidates.filter((_, index) => present[index]);
}

/** Absolute links inside packages (a JVM's configuration, say) mean the installed system; here they must stay in the folder. */
async function keepSymlinksInside(root: string): Promise<void> {
  const found = await tryCommand(["find", root, "-type", "l", "-lname", "/*", "-printf", "%p\\t%l\\n"]);
  for (const line of found.stdout.split("\n")) {
    const [link, target] = line.split("\t");
    if (link === undefined || target === undefined) continue;
    const fresh = `${link}.inside`;
    await symlink(relative(dirname(link), join(root, target)), fresh);
    await rename(fresh, link);
  }
}

async function ageMs(file: string): Promise<number> {
  try {
    return Date.now() - (await stat(file)).mtimeMs;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
