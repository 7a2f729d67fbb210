import { createPrivateKey, X509Certificate } from "node:crypto";
import { parseServerAddress } from "./address.ts";
import type { ConsulConfig, ConsulTlsConfig } from "./config.ts";
import type { ConfigSection } from "./config-section.ts";
import type { SecretFile, SecretFiles } from "./secret-files.ts";

const SCHEMES = ["http", "https"] as const;
type Scheme = (typeof SCHEMES)[number];

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** How to reach Consul, and what to tell it. */
export function readConsul(section: ConfigSection, files: SecretFiles): ConsulConfig {
  const { address, scheme: addressScheme } = section.value("addr", parseConsulAddress) ?? { address: "localhost:8500" };
  const configuredScheme = section.optionalChoice("scheme", SCHEMES);
  const tls = section.optionalSection("tls_config", (tlsSection) => readTls(tlsSection, files));
  const scheme = configuredScheme ?? addressScheme ?? (tls === undefined ? "http" : "https");
  if (addressScheme !== undefined && addressScheme !== scheme) {
    section.problem("scheme", `addr begins with ${addressScheme}://; make both the same`);
  }
  if (scheme === "http" && tls !== undefined) {
    section.problem("tls_config", "has no effect over plain http; set scheme: https or remove it");
  }
  return {
    address,
    scheme,
    basicAuth: readBasicAuth(section, files),
    ...readToken(section, files),
    tls,
    datacenter: section.text("datacenter"),
    serviceName: section.text("register_service_name") ?? "pushgateway",
    register: section.boolean("register", true),
    deregisterCriticalServiceAfterMs: section.optionalDuration("deregister_critical_service_after", {
      // Consul raises anything shorter to a minute, with a warning in its own log only.
      min: 1 * MINUTE,
      max: 365 * DAY,
    }),
  };
}

/** As Consul's Go client, which the predecessor used, an address may carry its scheme. */
function parseConsulAddress(text: string): { address: string; scheme?: Scheme } {
  const [, scheme, rest] = /^(https?):\/\/([^/]*)\/?$/.exec(text) ?? [];
  if (rest === undefined) return { address: parseServerAddress(text) };
  return { address: parseServerAddress(rest), scheme: scheme === "https" ? "https" : "http" };
}

function readBasicAuth(section: ConfigSection, files: SecretFiles): ConsulConfig["basicAuth"] {
  const username = section.text("username");
  const inline = section.text("password");
  const fromFile = section.value("password_file", (name) => withoutLineEnd(files.get(name).content));
  if (inline !== undefined && fromFile !== undefined) {
    section.problem("password_file", "both password and password_file are set; remove one");
  }
  const password = inline ?? fromFile;
  if (username !== undefined) return { username, password: password ?? "" };
  if (password !== undefined) section.problem("username", "expected a user name to go with the password");
  return undefined;
}

function readToken(section: ConfigSection, files: SecretFiles): Pick<ConsulConfig, "token" | "tokenFile"> {
  const token = section.text("token");
  const tokenFile = section.value("token_file", (name) => files.get(name).path);
  if (token !== undefined && tokenFile !== undefined) {
    section.problem("token_file", "both token and token_file are set; remove one");
  }
  return { token, tokenFile };
}

function readTls(section: ConfigSection, files: SecretFiles): ConsulTlsConfig {
  const ca = section.value("ca_file", (name) => checkPem(files.get(name), "certificate", parseCertificate));
  const cert = section.value("cert_file", (name) => checkPem(files.get(name), "certificate", parseCertificate));
  const key = section.value("key_file", (name) =>
    checkPem(files.get(name), "unencrypted private key", createPrivateKey),
  );
  if (section.has("cert_file") !== section.has("key_file")) {
    const [given, missing] = section.has("cert_file") ? ["cert_file", "key_file"] : ["key_file", "cert_file"];
    section.problem(missing, `expected a file to go with ${given}`);
  }
  if (cert !== undefined && key !== undefined && !parseCertificate(cert).checkPrivateKey(createPrivateKey(key))) {
    section.problem("key_file", "is not the private key of the certificate in cert_file");
  }
  return {
    ca,
    cert,
    key,
    serverName: section.text("server_name"),
    insecureSkipVerify: section.boolean("insecure_skip_verify", false),
  };
}

function parseCertificate(pem: string): X509Certificate {
  return new X509Certificate(pem);
}

function checkPem({ path, content }: SecretFile, what: string, parse: (pem: string) => unknown): string {
  try {
    parse(content);
  } catch {
    // What the TLS library says ("NO_START_LINE") helps nobody.
    throw new RangeError(`"${path}" holds no ${what} in PEM form`);
  }
  return content;
}

/** Editors end a file with a line break that is not part of the secret. */
function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, "");
}
