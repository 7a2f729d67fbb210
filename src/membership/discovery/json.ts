/** A JSON object from elsewhere, of which nothing is known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

// Everything here throws a TypeError that names the piece which is not what it should be.

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw mismatch(what, "an object");
  return value as JsonObject;
}

export function asString(value: unknown, what: string): string {
  if (typeof value !== "string") throw mismatch(what, "a string");
  return value;
}

export function objectAt(object: JsonObject, key: string): JsonObject {
  return asObject(object[key], key);
}

export function stringAt(object: JsonObject, key: string): string {
  return asString(object[key], key);
}

export function numberAt(object: JsonObject, key: string): number {
  const value = object[key];
  if (typeof value !== "number") throw mismatch(key, "a number");
  return value;
}

/** A list, each item read by `read`. Go writes an empty one as null, or leaves it out. */
export function listAt<T>(object: JsonObject, key: string, read: (item: unknown, what: string) => T): readonly T[] {
  const value = object[key] ?? [];
  if (!Array.isArray(value)) throw mismatch(key, "a list");
  return value.map((item) => read(item, `item of ${key}`));
}

function mismatch(what: string, wanted: string): TypeError {
  return new TypeError(`Cannot read "${what}": expected ${wanted}`);
}
