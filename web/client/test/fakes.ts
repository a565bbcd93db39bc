/** A server, a browser's locks and its channels, in memory. */

import { mock } from "node:test";
import { connect, type Live, type Options, type Reason, type State } from "../src/index.ts";

type Frame = Record<string, unknown>;

export class FakeSocket {
  static made: FakeSocket[] = [];
  static get last(): FakeSocket {
    return FakeSocket.made.at(-1)!;
  }

  sent: Frame[] = [];
  isClosed = false;
  onerror: (() => void) | null = null;
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((close: { code: number; reason: string }) => void) | null = null;

  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    FakeSocket.made.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.isClosed = true;
  }

  /** Say what the server says. */
  say(frame: Frame): void {
    this.hand(JSON.stringify(frame));
  }

  /** Hand over a text that somebody on the way may have changed. */
  hand(data: string): void {
    this.onmessage?.({ data });
  }

  /** Fail as a socket of the package `ws` does: an error without a listener is thrown. */
  fail(): void {
    if (!this.onerror) throw new Error("an error without a listener");
    this.onerror();
    this.cut();
  }

  cut(code = 1006): void {
    this.onclose?.({ code, reason: "" });
  }

  /** Open, take hello and welcome the client; returns hello. */
  welcome(fields: Frame = {}): Frame {
    this.onopen?.();
    const hello = this.sent[0]!;
    const cursor = hello["cursor"] === null ? "c0" : null;
    this.say({ type: "welcome", cursor, epoch: "e", ping_s: 25, stale_since: null, ...fields });
    return hello;
  }

  /** Send an event with the number `o`; the cursor is then `c` and that number, or what is said. */
  event(o: number, { p = 0, id, c = `c${o}` }: { p?: number; id?: string; c?: string } = {}): void {
    const data = { actor: "user:ana", todo: { id: "1", title: `${p}.${o}`, owner: { name: "Ana" } } };
    const about = { type: "todo.created", id: id ?? `id-${p}-${o}`, time: "", subject: "1" };
    this.say({ type: "event", c, e: [{ p, o, ...about, data }] });
  }
}

interface LockOptions {
  signal?: AbortSignal;
  steal?: boolean;
}

/** Locks with one holder each, in turn, as navigator.locks. */
export class FakeLocks {
  #locks = new Map<string, FakeLock>();

  request(name: string, options: LockOptions, body: () => unknown): Promise<unknown> {
    const lock = this.#locks.get(name) ?? new FakeLock();
    this.#locks.set(name, lock);
    return lock.request(options, body);
  }
}

const aborted = (why: string) => new DOMException(why, "AbortError");

class FakeLock {
  #waiting: { run: () => void; signal: AbortSignal | undefined }[] = [];
  #holder: { stolen: () => void } | undefined;

  request(options: LockOptions, body: () => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const holder = { stolen: () => reject(aborted("stolen")) };
      const run = async () => {
        this.#holder = holder;
        resolve(await body());
        if (this.#holder === holder) this.#next();
      };
      if (options.steal) {
        this.#holder?.stolen();
        void run();
      } else if (this.#holder) {
        this.#waiting.push({ run, signal: options.signal });
        options.signal?.addEventListener("abort", () => reject(aborted("aborted")));
      } else void run();
    });
  }

  #next(): void {
    this.#holder = undefined;
    const next = this.#waiting.shift();
    if (next?.signal?.aborted) this.#next();
    else next?.run();
  }
}

/** A channel that delivers at once; `isFrozen` ones neither say nor hear anything. */
export class FakeChannel {
  static open = new Set<FakeChannel>();
  onmessage: ((message: { data: unknown }) => void) | null = null;
  isFrozen = false;

  constructor(readonly name: string) {
    FakeChannel.open.add(this);
  }

  postMessage(data: unknown): void {
    if (!FakeChannel.open.has(this)) throw new DOMException("the channel is closed", "InvalidStateError");
    if (this.isFrozen) return;
    for (const other of FakeChannel.open) {
      if (other !== this && other.name === this.name && !other.isFrozen) {
        other.onmessage?.({ data: structuredClone(data) });
      }
    }
  }

  close(): void {
    FakeChannel.open.delete(this);
  }
}

/** A client, with what it was told. */
export interface Seen {
  live: Live;
  titles: string[];
  states: State[];
  stale: (string | null)[];
  loads: Reason[];
}

export function client(options: Partial<Options> = {}): Seen {
  const seen = { titles: [], states: [], stale: [], loads: [] } as unknown as Seen;
  seen.live = connect({
    url: "ws://bridge/live",
    token: () => "token",
    onResync: (why) => void seen.loads.push(why),
    onState: (state) => seen.states.push(state),
    onStale: (since) => seen.stale.push(since),
    WebSocket: FakeSocket as never,
    ...options,
  });
  seen.live.on("todo.created", (event) => seen.titles.push(event.data.todo.title));
  return seen;
}

/** Let everything run that is ready; timers wait for `mock.timers.tick`. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

/** Let time pass. */
export const pass = async (ms: number): Promise<void> => {
  mock.timers.tick(ms);
  await settle();
};

/** Begin a test: no sockets, no tabs, and time stands still. */
export function begin(): void {
  FakeSocket.made = [];
  FakeChannel.open.clear();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  Object.defineProperty(globalThis, "navigator", { value: { locks: new FakeLocks() }, configurable: true });
  globalThis.BroadcastChannel = FakeChannel as never;
}
