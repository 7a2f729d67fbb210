import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** A file above this size is not a password, a token or a certificate. */
const MAX_BYTES = 1024 * 1024;

/** Keys with this ending hold the path of a file whose content belongs to the configuration. */
export const SECRET_FILE_SUFFIX = "_file";

/** A file that the configuration names. */
export interface SecretFile {
  readonly path: string;
  readonly content: string;
}

/** The files named by a configuration, read beforehand, so that reading the configuration itself need not wait. */
export class SecretFiles {
  readonly #results: ReadonlyMap<string, SecretFile | RangeError>;

  private constructor(results: ReadonlyMap<string, SecretFile | RangeError>) {
    this.#results = results;
  }

  /** `names` are relative to the folder of the configuration file, as with Prometheus. */
  static async read(names: Iterable<string>, configFile: string): Promise<SecretFiles> {
    const folder = dirname(configFile);
    const entries = [...names].map(async (name) => [name, await readSecretFile(resolve(folder, name))] as const);
    return new SecretFiles(new Map(await Promise.all(entries)));
  }

  /** Throws a RangeError when the file could not be read or is empty. */
  get(name: string): SecretFile {
    const result = this.#results.get(name);
    if (result instanceof RangeError) throw result;
    if (result === undefined) throw new Error(`Cannot use "${name}": it was not among the names read`);
    return result;
  }
}

async function readSecretFile(path: string): Promise<SecretFile | RangeError> {
  try {
    const status = await stat(path);
    if (!status.isFile()) return new RangeError(`cannot read "${path}": it is not a regular file`);
    if (status.size > MAX_BYTES) return new RangeError(`expected a file of at most 1MiB, "${path}" is larger`);
    const content = await readFile(path, "utf8");
    return content.trim() === ""
      ? new RangeError(`expected a file with content, "${path}" is empty`)
      : { path, content };
  } catch (error) {
    return new RangeError(`cannot read "${path}": ${readFailure(error)}`);
  }
}

/** What kept a file from being read, in words for an operator. */
export function readFailure(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "ENOENT":
      return "no such file";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EISDIR":
      return "it is a directory";
    default:
      return message;
  }
}
