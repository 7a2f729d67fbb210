import { GroupStore } from "../../src/embedded/group-store.ts";
import { openPersistence, type PersistenceOptions } from "../../src/embedded/persistence.ts";
import { parseText } from "../../src/exposition/text-parser.ts";
import { createLogger } from "../../src/log.ts";
import { keyOfGroupId } from "../../src/sharding/group-id.ts";

// Keeps a file until it is killed: `<file> <interval|push> <ms>`. Pushes growing numbers into some groups in turn, from the
// greatest one in the file on, and prints the last one that a server would have acknowledged. Two further groups hold a family
// by turns, each time as another type, so that they never fit together but as they are at one moment.

/** More than are written at a time. */
const GROUPS = 500;

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
  put(`job${value % GROUPS}`, `value ${value}\n`, value);
  if (sync === "push") await persistence.durable();
}

function put(job: string, body: string, now: number): void {
  store.replace(keyOfGroupId(job), parseText(Buffer.from(body)), now);
}

for (let first = loaded + 1, turn = 0; ; first += GROUPS, turn++) {
  const [giver, taker, type] = turn % 2 === 0 ? ["left", "right", "gauge"] : ["right", "left", "counter"];
  // Changed before all others, so that it is written before the one from which it takes.
  put(taker, "", 0);
  const pushes = Array.from({ length: GROUPS }, (_, index) => push(first + index));
  put(giver, "", 0);
  put(taker, `# TYPE turn ${type}\nturn 1\n`, 0);
  await Promise.all(pushes);
  print(`acknowledged ${first + GROUPS - 1}`);
  await new Promise(setImmediate);
}
