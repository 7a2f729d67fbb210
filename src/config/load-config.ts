import { readFile } from "node:fs/promises";
import type { Config } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { ConfigSection } from "./config-section.ts";
import { readConfig } from "./read-config.ts";
import { readFailure, SECRET_FILE_SUFFIX, SecretFiles } from "./secret-files.ts";
import { YamlFile } from "./yaml-file.ts";

/**
 * Reads a configuration file and the files it names. Rejects with a ConfigError that carries every problem, or with the
 * first syntax errors, after which nothing else can be told.
 */
export async function loadConfig(file: string): Promise<Config> {
  const yaml = new YamlFile(file, await readConfigFile(file));
  failOnProblems(yaml);
  const files = await SecretFiles.read(yaml.textsByKeySuffix(SECRET_FILE_SUFFIX), file);
  const config = ConfigSection.readFile(yaml, (section) => readConfig(section, files));
  failOnProblems(yaml);
  return config;
}

/** What an empty file says. */
export async function defaultConfig(): Promise<Config> {
  const files = await SecretFiles.read([], "");
  return ConfigSection.readFile(new YamlFile("", ""), (section) => readConfig(section, files));
}

function failOnProblems({ problems }: YamlFile): void {
  if (problems.length > 0) throw new ConfigError(problems);
}

async function readConfigFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const message = `cannot read the file: ${readFailure(error)}`;
    throw new ConfigError([{ file, line: 0, column: 0, key: "", message }]);
  }
}
