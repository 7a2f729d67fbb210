import { GroupStore } from "../../src/embedded/group-store.ts";
import { openPersistence, type PersistenceOptions } from "../../src/embedded/persistence.ts";
import { parseText } from "../../src/exposition/text-parser.ts";
import { createLogger } from "../../src/log.ts";
import { keyOfGroupId } from "../../src/sharding/group-id.ts";

// Keeps a file until it is killed: `<file> <interval|push> <ms>`. Pushes numbers into a few groups in turn, from the greatest
// one in the file on, and prints those that a server would have acknowledged.

/** More than are written at a time. */
const GROUPS = 500;
const PUSHES_AT_ONCE = 10;

const [file = "", sync = "", intervalMs = ""] = process.argv.slice(2);
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const log = createLogger({ level: "info", format: "logfmt", write: (line) => void process.stderr.write(line) });
const options = { file, sync: sync as PersistenceOptions["sync"], intervalMs: Number(intervalMs), log };
const store = new GroupStore({ utf8Names: false, ownFamilies: [] });
const persistence = openPersistence(options);
await persistence.load(store);
store.observe(persistence);
const loaded = Math.max(0, ...Array.from(store.groups(), ({ pushTime }) => pushTime));
print(`loaded ${loaded}`);

async function push(value: number): Promise<void> {
  store.replace(keyOfGroupId(`job${value % GROUPS}`), parseText(Buffer.from(`value ${value}\n`)), value);
  if (sync === "push") await persistence.durable();
}

for (let value = loaded + 1; ; value += PUSHES_AT_ONCE) {
  await Promise.all(Array.from({ length: PUSHES_AT_ONCE }, (_, index) => push(value + index)));
  print(`acknowledged ${value + PUSHES_AT_ONCE - 1}`);
  await new Promise(setImmediate);
}
