import { GroupDatabase } from "./persistence-database.ts";
import type { PersistenceReply, PersistenceRequest } from "./persistence-thread.ts";

declare const self: Worker;

/** The thread that waits for the disk. It answers each request, in order. */
function serve(thread: Worker): void {
  let database: GroupDatabase | undefined;
  thread.onmessage = ({ data }: MessageEvent<PersistenceRequest>) => {
    thread.postMessage(answer(data));
  };

  function answer(request: PersistenceRequest): PersistenceReply {
    try {
      if (request.kind === "open") database = new GroupDatabase(request.file);
      return { result: perform(request) };
    } catch (error) {
      // The message of a PersistenceError says all that its cause does.
      return { error: (error as Error).message };
    }
  }

  function perform(request: PersistenceRequest): unknown {
    if (request.kind === "open") return database?.count();
    if (request.kind === "read") return database?.read(request.place);
    if (request.kind === "write") return database?.write(request.slice);
    return database?.close();
  }
}

serve(self);
