import { describe, expect, test } from "bun:test";
import { chmod, cp, mkdir, readdir, rm, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { REPOSITORY } from "../support/parts.ts";
import { runCommand, tryCommand } from "../support/run-command.ts";
import { temporaryFolder } from "../support/server-process.ts";

const REAL_BUN = join(REPOSITORY, "node_modules/bun/bin/bun.exe");
const PLATFORM = `bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}`;
/** What npm leaves in place of the binary where install scripts are switched off. */
const PLACEHOLDER = 'echo "Error: Bun\'s postinstall script was not run." >&2\nexit 1\n';

/** Says how it was started and ends with exit code 7. */
const REPORTER = `
const { argv, env, pid, cwd } = process;
console.log(JSON.stringify({ args: argv.slice(2), secret: env["FROM_DOTENV"], preloaded: globalThis.preloaded, pid, cwd: cwd() }));
process.exit(7);
`;

/** Says when it is ready, then which signal it got, and ends with exit code 9. */
const SIGNAL_REPORTER = `
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) {
  process.on(signal, () => { console.log(signal); process.exit(9); });
}
// Ends by itself when nothing reaches it.
setTimeout(() => process.exit(1), 10_000);
console.log("ready");
`;

/** A package as npm lays it out, with `main` for src/main.ts. Removed at the end of the test. */
class TestPackage implements AsyncDisposable {
  readonly folder: string;
  readonly root: string;

  private constructor(folder: string, place: string) {
    this.folder = folder;
    this.root = join(folder, place);
  }

  static async create(main: string, place = "node_modules/dynamic-sharding"): Promise<TestPackage> {
    const created = new TestPackage(await temporaryFolder("launcher"), place);
    await mkdir(join(created.root, "bin"), { recursive: true });
    await cp(join(REPOSITORY, "bin/dynamic-sharding"), created.launcher);
    await cp(join(REPOSITORY, "tsconfig.json"), join(created.root, "tsconfig.json"));
    await created.write(join(place, "src/main.ts"), main);
    return created;
  }

  get launcher(): string {
    return join(this.root, "bin/dynamic-sharding");
  }

  async write(path: string, text: string): Promise<void> {
    await Bun.write(join(this.folder, path), text);
  }

  async link(path: string, target: string): Promise<string> {
    const link = join(this.folder, path);
    await mkdir(dirname(link), { recursive: true });
    await symlink(target, link);
    return link;
  }

  async linkBun(path = "node_modules/bun/bin/bun.exe"): Promise<void> {
    await this.link(path, REAL_BUN);
  }

  async writeProgram(path: string, text: string): Promise<void> {
    await this.write(path, text);
    await chmod(join(this.folder, path), 0o755);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function report(argv: readonly string[], cwd?: string) {
  const { exitCode, stdout, stderr } = await tryCommand(argv, cwd === undefined ? {} : { cwd });
  expect({ exitCode, stderr }).toEqual({ exitCode: 7, stderr: "" });
  return JSON.parse(stdout);
}

describe("bin/dynamic-sharding", () => {
  test("passes arguments as they are, flags of Bun included", async () => {
    await using installed = await TestPackage.create(REPORTER);
    await installed.linkBun();
    const args = ["--help", "--version", "a b", "", "*", "--eval=1", "--", "-h"];
    expect(await report([installed.launcher, ...args])).toMatchObject({ args });
  });

  test("finds itself through relative and absolute symlinks, with spaces in every path", async () => {
    await using installed = await TestPackage.create(REPORTER, "pack age/node_modules/dynamic-sharding");
    await installed.linkBun("pack age/node_modules/bun/bin/bun.exe");
    const relativeTarget = relative(join(installed.folder, "other bin"), installed.launcher);
    const first = await installed.link("other bin/first link", relativeTarget);
    const second = await installed.link("second link", first);
    expect(await report([first, "x"])).toMatchObject({ args: ["x"] });
    expect(await report([second, "x"])).toMatchObject({ args: ["x"] });
    expect(await report(["sh", "-c", '"other bin/../second link" "$0"', "a b"], installed.folder)).toMatchObject({
      args: ["a b"],
    });
  });

  test("works when it is given to a shell by a bare name", async () => {
    await using installed = await TestPackage.create(REPORTER);
    await installed.linkBun();
    expect(await report(["sh", "dynamic-sharding", "x"], dirname(installed.launcher))).toMatchObject({ args: ["x"] });
  });

  test.each([
    ["in its own node_modules", "node_modules/dynamic-sharding/node_modules/bun/bin/bun.exe"],
    ["beside it", "node_modules/bun/bin/bun.exe"],
    ["as a package for this platform", `node_modules/@oven/${PLATFORM}/bin/bun`],
    ["as a package for older processors", `node_modules/@oven/${PLATFORM}-baseline/bin/bun`],
  ])("finds Bun %s", async (_, path) => {
    await using installed = await TestPackage.create(REPORTER);
    await installed.linkBun(path);
    expect(await report([installed.launcher])).toMatchObject({ args: [] });
  });

  test("finds Bun in a store of symlinks, such as pnpm makes", async () => {
    await using installed = await TestPackage.create(REPORTER, "store/ds@1/node_modules/dynamic-sharding");
    await installed.writeProgram("store/bun@1/node_modules/bun/bin/bun.exe", PLACEHOLDER);
    await installed.linkBun(`store/bun@1/node_modules/@oven/${PLATFORM}/bin/bun`);
    await installed.link("store/ds@1/node_modules/bun", "../../bun@1/node_modules/bun");
    expect(await report([installed.launcher])).toMatchObject({ args: [] });
  });

  test("passes over placeholders and binaries that do not run here", async () => {
    await using installed = await TestPackage.create(REPORTER);
    await installed.writeProgram("node_modules/bun/bin/bun.exe", PLACEHOLDER);
    await installed.writeProgram(`node_modules/@oven/${PLATFORM}/bin/bun`, "#!/bin/sh\nexit 127\n");
    await installed.linkBun(`node_modules/@oven/${PLATFORM}-musl/bin/bun`);
    expect(await report([installed.launcher])).toMatchObject({ args: [] });
  });

  test("says how to get Bun where there is none", async () => {
    await using installed = await TestPackage.create(REPORTER);
    await installed.writeProgram("node_modules/bun/bin/bun.exe", PLACEHOLDER);
    const result = await tryCommand([installed.launcher, "--version"]);
    expect(result).toMatchObject({ exitCode: 1, stdout: "" });
    expect(result.stderr).toStartWith("dynamic-sharding: Cannot find Bun in a node_modules folder at or above");
    expect(result.stderr).toContain("npm install, without --omit=optional");
  });

  test("lets no file of the user's folder change what runs", async () => {
    await using installed = await TestPackage.create(`import "dependency";${REPORTER}`);
    await installed.linkBun();
    await installed.write("node_modules/dependency/index.js", "");
    await installed.write(".env", "FROM_DOTENV=leaked\n");
    await installed.write("bunfig.toml", 'preload = ["./preload.ts"]\n');
    await installed.write("preload.ts", "globalThis.preloaded = true;\n");
    await installed.write("tsconfig.json", '{ "compilerOptions": { "paths": { "dependency": ["./hijacked.ts"] } } }\n');
    await installed.write("hijacked.ts", 'throw new Error("hijacked");\n');
    const reported = await report([installed.launcher], installed.folder);
    expect(reported).toEqual({ args: [], pid: expect.any(Number), cwd: expect.stringContaining("launcher") });
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("leaves no process between %s and the router", async (signal) => {
    await using installed = await TestPackage.create(SIGNAL_REPORTER);
    await installed.linkBun();
    const child = Bun.spawn([installed.launcher], { stdout: "pipe", timeout: 20_000, killSignal: "SIGKILL" });
    const output = child.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
    expect(await output.next()).toMatchObject({ value: "ready\n" });
    child.kill(signal);
    expect(await output.next()).toMatchObject({ value: `${signal}\n` });
    expect(await child.exited).toBe(9);
  });
});

describe("the package as npm installs it", () => {
  const version = `dynamic-sharding, version ${packageJson.version} (bun ${packageJson.dependencies.bun})\n`;

  test.each([
    ["with install scripts", []],
    ["without install scripts", ["--ignore-scripts"]],
  ])(
    "runs by npx, %s",
    async (_, flags) => {
      const folder = await temporaryFolder("npm pack");
      await using cleanup = new AsyncDisposableStack();
      cleanup.defer(() => rm(folder, { recursive: true, force: true }));
      await Bun.write(join(folder, "app/package.json"), '{ "name": "app", "version": "1.0.0", "private": true }\n');
      await runCommand(["npm", "pack", "--pack-destination", folder], { cwd: REPOSITORY });
      const [tarball = ""] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
      const options = { cwd: join(folder, "app"), timeoutMs: 120_000 };
      await runCommand(["npm", "install", "--prefer-offline", ...flags, join(folder, tarball)], options);
      expect(await runCommand(["npx", "dynamic-sharding", "--version"], options)).toBe(version);
      expect(await runCommand(["npx", "dynamic-sharding", "check-config", exampleOf(folder)], options)).toContain(
        "dynamic-sharding.example.yml: SUCCESS: ",
      );
    },
    180_000,
  );
});

function exampleOf(folder: string): string {
  return join(folder, "app/node_modules/dynamic-sharding/dynamic-sharding.example.yml");
}
