import { Connection, type State } from "./connection.ts";
import type { EventOf, EventType, TodoEvent } from "./events.ts";
import { after, type Cursor, type LogFrame, type Reason, type Welcome } from "./protocol.ts";
import { Reader } from "./reader.ts";
import { Tabs } from "./tabs.ts";

export type * from "./events.ts";
export type { Cursor, Reason, State };

export interface Options {
  /** The address of the bridge, such as `wss://chat.example.com/live`; relative to the page in a browser. */
  url: string | URL;
  /** Returns a token that is good now: it is asked for at each connection, and before the last one ends. */
  token: () => string | Promise<string>;
  /**
   * Load by HTTP what is shown: at the start, and whenever events were missed for too long. Events that come
   * meanwhile are shown when it is done; if it fails, it is tried again.
   */
  onResync?: (why: Reason) => unknown;
  /** `why` says in words why it is waiting or ended. */
  onState?: (state: State, why: string) => void;
  /** `since` is the time since which the bridge cannot follow the log, and null once it does again. */
  onStale?: (since: string | null) => void;
  /**
   * The name of who is signed in. With it all tabs of this user share one socket, where the browser can
   * (BroadcastChannel and navigator.locks); without it each has its own.
   */
  user?: string;
  /** Go on from here, instead of loading at the start. Such a tab has a socket of its own. */
  cursor?: Cursor;
  /** Free text, such as a name and a version; the server logs its first 60 characters, at level debug. */
  client?: string;
  /** For Node before 22, which has none. */
  WebSocket?: new (url: string, protocol: string) => WebSocket;
}

export interface Live {
  /** Call `listener` with each event of a type, `*` with all. Returns what ends that. */
  on<T extends EventType>(type: T, listener: (event: EventOf<T>) => void): () => void;
  on(type: "*", listener: (event: TodoEvent) => void): () => void;
  readonly state: State;
  /** The place up to which events were shown; null before the first load. */
  readonly cursor: Cursor | null;
  /** The time since which the bridge cannot follow the log, or null if it does: events that come later are late. */
  readonly staleSince: string | null;
  /** End it: nothing is called any more. */
  close(): void;
}

/** Connect to the live events of a user. It returns at once, and comes back by itself until it is closed. */
export function connect(options: Options): Live {
  return new Client(options);
}

class Client implements Live {
  state: State = "connecting";
  #options: Options;
  #listeners = new Map<string, Set<(event: never) => void>>();
  #reader: Reader;
  #connection: Connection;
  #tabs: Tabs | undefined;
  /** The last one, with what was said since. */
  #welcome: Welcome | undefined;
  /** The cursor before the next frame of the socket. */
  #at: Cursor | null = null;
  #closed = false;

  constructor(options: Options) {
    this.#options = options;
    const { url, user, cursor = null } = options;
    this.#reader = new Reader(cursor, (event) => this.#show(event), (why) => options.onResync?.(why));
    const address = new URL(url, globalThis.location?.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.#connection = new Connection({
      url: address.href,
      client: options.client ?? "@todo-workers/client",
      WebSocket: options.WebSocket ?? WebSocket,
      token: options.token,
      cursor: () => {
        this.#reader.rewind();
        return (this.#at = this.#reader.cursor);
      },
      frame: (frame) => this.#take(frame),
      state: (state, why) => {
        this.#set(state, why);
        // The others find out for themselves whether the server will have them.
        if (state === "ended") this.#end();
        else this.#tabs?.tell({ state, why });
      },
    });
    if (user === undefined || cursor !== null || !Tabs.possible()) {
      this.#connection.start();
      return;
    }
    this.#tabs = new Tabs(`todo.v1 ${address.href} ${user}`, {
      lead: () => this.#connection.start(),
      follow: () => {
        this.#connection.stop();
        this.#at = null;
      },
      joined: () => {
        this.#tabs?.tell({ state: this.state, why: "" });
        // The log is at the last frame now, no longer at welcome.
        if (this.#welcome) this.#tell({ ...this.#welcome, cursor: null });
      },
      state: (state, why) => this.#set(state, why),
      frame: (at, frame) => this.#read(at, frame),
    });
  }

  get cursor(): Cursor | null {
    return this.#reader.cursor;
  }

  get staleSince(): string | null {
    return this.#welcome?.stale_since ?? null;
  }

  on(type: string, listener: (event: never) => void): () => void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  close(): void {
    this.#end();
  }

  #end(): void {
    this.#closed = true;
    this.state = "ended";
    this.#reader.stop();
    this.#connection.stop();
    this.#tabs?.close();
  }

  #set(state: State, why: string): void {
    if (this.#closed) return;
    this.state = state;
    guarded(() => this.#options.onState?.(state, why));
  }

  /** Take a frame of this tab's socket. */
  #take(frame: LogFrame): void {
    // At the first visit, the log begins for this client where welcome says.
    if (frame.type === "welcome") this.#at ??= frame.cursor;
    if (this.#at === null) return;
    this.#tell(frame);
    this.#read(this.#at, frame);
    this.#at = after(this.#at, frame);
  }

  /** Tell the other tabs of a frame. */
  #tell(frame: LogFrame): void {
    if (this.#at !== null) this.#tabs?.tell({ at: this.#at, frame });
  }

  #read(at: Cursor, frame: LogFrame): void {
    const before = this.staleSince;
    if (frame.type === "welcome") this.#welcome = frame;
    else if (frame.type === "ping" && frame.stale_since !== undefined && this.#welcome) {
      this.#welcome = { ...this.#welcome, stale_since: frame.stale_since };
    }
    const since = this.staleSince;
    if (since !== before) guarded(() => this.#options.onStale?.(since));
    this.#reader.take(at, frame);
  }

  #show(event: TodoEvent): void {
    // A listener may have ended it while events were left.
    if (this.#closed) return;
    for (const type of [event.type, "*"]) {
      for (const listener of this.#listeners.get(type) ?? []) {
        guarded(() => listener(event as never));
      }
    }
  }
}

/** Call a function of the page's. As with a listener of the browser's, an error in it is reported, and all goes on. */
function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    setTimeout(() => {
      throw error;
    }, 0);
  }
}
