import type { Socket } from "bun";

/** How many requests are under way at once, all on one connection. */
const PIPELINED = 128;
const STATUS = /^HTTP\/1\.1 (\d{3})/gm;
const STALL_MS = 60_000;

/** A PUT of one of the groups that push-groups.lua pushes to, too. */
function pushOf(index: number): string {
  const body =
    `# TYPE batch_last_success_seconds gauge\nbatch_last_success_seconds ${1_700_000_000 + index}\n` +
    `# TYPE batch_records_total counter\nbatch_records_total{kind="read"} ${index}\n`;
  const path = `/metrics/job/batch/instance/host-${String(index).padStart(6, "0")}`;
  return `PUT ${path} HTTP/1.1\r\nHost: bench\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Pushes to the groups from `first` up to `end`, as fast as they are answered. Throws unless all of them are accepted. */
export async function pushGroups(address: string, first: number, end: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let [sent, answered, rest, pending] = [first, first, "", ""];
  const send = (socket: Socket) => {
    while (sent < end && sent - answered < PIPELINED) pending += pushOf(sent++);
    const written = socket.write(pending);
    pending = pending.slice(Math.max(0, written));
  };
  let stalled = setTimeout(() => reject(new Error(`Cannot fill "${address}": no answer in ${STALL_MS} ms`)), STALL_MS);
  const [hostname = "", port] = address.split(":");
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(open, chunk) {
        stalled = stalled.refresh();
        const text = rest + chunk.toString("latin1");
        const wholeLines = text.slice(0, text.lastIndexOf("\n") + 1);
        rest = text.slice(wholeLines.length);
        for (const [, status = ""] of wholeLines.matchAll(STATUS)) {
          answered++;
          if (status !== "200" && status !== "202") reject(new Error(`Cannot fill "${address}": status ${status}`));
        }
        if (signal.aborted) reject(signal.reason);
        else if (answered >= end) resolve();
        else send(open);
      },
      drain: send,
      close: () => reject(new Error(`Cannot fill "${address}": it closed the connection`)),
    },
  });
  try {
    send(socket);
    await promise;
  } finally {
    clearTimeout(stalled);
    socket.end();
  }
}
