import { PING_S, type Cursor, type LogFrame } from "./protocol.ts";
import type { State } from "./connection.ts";

/** Messages between tabs: those of the tab with the socket, and `join`, which asks it for the last cursor. */
type Message = { join: true } | { state: State; why: string } | { at: Cursor; frame: LogFrame };

export interface Role {
  /** This tab is to have the socket, from now on. */
  lead(): void;
  /** Another tab has the socket, as this one was silent. */
  follow(): void;
  /** Somebody joined: tell all where the log is. */
  joined(): void;
  state(state: State, why: string): void;
  frame(at: Cursor, frame: LogFrame): void;
}

/**
 * Chooses the tab that has the socket, and passes on what comes there.
 *
 * The browser's lock has one holder, and goes to the next tab when that one closes. A holder that says nothing for
 * too long, as it is frozen, loses it to whoever notices first.
 */
export class Tabs {
  #name: string;
  #role: Role;
  #channel: BroadcastChannel;
  #request: AbortController | undefined;
  #release: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(name: string, role: Role) {
    this.#name = name;
    this.#role = role;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#take(data);
    this.#ask();
    this.tell({ join: true });
  }

  static readonly possible = (): boolean =>
    typeof BroadcastChannel === "function" && !!globalThis.navigator?.locks;

  /** Tell the other tabs; once it is closed, nobody. */
  tell(message: Message): void {
    if (!this.#closed) this.#channel.postMessage(message);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#release?.();
    this.#channel.close();
  }

  /** Wait for the lock, or take it from a tab that is silent. */
  #ask(steal = false): void {
    this.#request?.abort();
    const request = (this.#request = new AbortController());
    const options = steal ? { steal } : { signal: request.signal };
    navigator.locks
      .request(this.#name, options, () => {
        if (this.#closed) return;
        clearTimeout(this.#timer);
        return new Promise<void>((resolve) => {
          this.#release = resolve;
          this.#role.lead();
        });
      })
      .catch((error: Error) => {
        if (this.#closed || request !== this.#request) return;
        if (error.name !== "AbortError") {
          // A page without locks, as in a sandboxed frame: each tab has a socket of its own.
          clearTimeout(this.#timer);
          this.#release = () => {};
          this.#role.lead();
          return;
        }
        this.#release = undefined;
        this.#role.follow();
        this.#ask();
      });
    if (!steal) this.#watch();
  }

  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(true), 2_000 * PING_S);
  }

  #take(message: Message): void {
    if ("join" in message) {
      if (this.#release) this.#role.joined();
      return;
    }
    // A tab that has lost the lock may still say something.
    if (this.#release) return;
    this.#watch();
    if ("frame" in message) this.#role.frame(message.at, message.frame);
    else this.#role.state(message.state, message.why);
  }
}
