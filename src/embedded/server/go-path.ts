import { type ByteString, percentDecode } from "../../sharding/byte-string.ts";

/** The path of a request as Go's net/http sees it: decoded once; undefined for what it answers 400. */
export function decodePath(path: ByteString): ByteString | undefined {
  return path === "*" ? undefined : percentDecode(path);
}

/** What Go's ServeMux makes of a decoded path before it redirects: no empty, `.` or `..` parts; a slash at the end stays. */
export function cleanPath(path: ByteString): ByteString {
  const kept: ByteString[] = [];
  for (const part of path.split("/")) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  const cleaned = `/${kept.join("/")}`;
  return path.endsWith("/") && cleaned !== "/" ? `${cleaned}/` : cleaned;
}

const TO_ESCAPE = /[^A-Za-z0-9\-_.~$&+,/:;=@]/g;

/** A decoded path as Go's net/url writes it into a Location. */
export function escapePath(path: ByteString): string {
  return path.replaceAll(TO_ESCAPE, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}
