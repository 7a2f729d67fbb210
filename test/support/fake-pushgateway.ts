import { createServer, type Server, type Socket } from "node:net";
import { freePort } from "./free-port.ts";
import { type ReceivedPush, RequestReader } from "./received-push.ts";

/** What a fake makes of pushes. */
export interface PushScript {
  /** Called with the head, before the body is read. */
  readonly onHead?: (push: ReceivedPush) => void;
  /** Called with the whole push. Answers 200 when absent. */
  readonly onPush?: (push: ReceivedPush) => void;
}

/**
 * A server that looks like a Pushgateway to health checks and does with pushes what the test wants. Records every byte. For what
 * no real Pushgateway does, or does not show.
 */
export class FakePushgateway implements AsyncDisposable {
  readonly pushes: ReceivedPush[] = [];
  script: PushScript;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #answersProbes = true;
  #hangingProbes: ReceivedPush[] = [];
  #accepted = 0;

  /** host:port */
  readonly address: string;

  private constructor(address: string, script: PushScript) {
    this.address = address;
    this.script = script;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#accepted++;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => {});
      const reader = new RequestReader(
        socket,
        (push) => this.#start(push),
        (push) => this.#finish(push),
      );
      socket.on("data", (bytes: Buffer) => reader.read(bytes));
      socket.on("end", () => socket.end());
    });
  }

  static async start(script: PushScript = {}): Promise<FakePushgateway> {
    const port = freePort();
    const fake = new FakePushgateway(`127.0.0.1:${port}`, script);
    await new Promise<void>((resolve) => fake.#server.listen(port, "127.0.0.1", resolve));
    return fake;
  }

  /** Whether health checks are answered. Otherwise they hang until this is set. */
  set answersProbes(answers: boolean) {
    this.#answersProbes = answers;
    if (!answers) return;
    for (const probe of this.#hangingProbes.splice(0)) probe.respond(200, "OK");
  }

  /** Connections accepted so far, those of health checks included. */
  get accepted(): number {
    return this.#accepted;
  }

  get latest(): ReceivedPush {
    const push = this.pushes.at(-1);
    if (push === undefined) throw new Error("Cannot look at the latest push: none has come");
    return push;
  }

  /** Accepts no more connections, as if it had died; those that are open stay. */
  stopListening(): void {
    this.#server.close();
  }

  /** Closes all connections as a server does that has had enough of idle ones. */
  closeConnections(): void {
    for (const socket of this.#sockets) socket.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #start(push: ReceivedPush): void {
    if (push.head.startsWith("GET ")) return;
    this.pushes.push(push);
    this.script.onHead?.(push);
  }

  #finish(push: ReceivedPush): void {
    push.isComplete = true;
    if (!push.head.startsWith("GET ")) (this.script.onPush ?? ((whole) => whole.respond()))(push);
    else if (this.#answersProbes) push.respond(200, "OK");
    else this.#hangingProbes.push(push);
  }
}
