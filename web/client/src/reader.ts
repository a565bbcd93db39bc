import type { TodoEvent } from "./events.ts";
import { after, backoff, type Cursor, type LogFrame, type Placed, type Reason, type Resync } from "./protocol.ts";

/** The number of ids of shown events that are kept: who publishes may publish an event again. */
const KEPT_IDS = 1_000;

/**
 * Shows each event once, and the events of a todo in order, whatever frames repeat.
 *
 * Frames are taken one after the other. While everything is loaded anew, those that follow wait.
 */
export class Reader {
  /** The place up to which events were shown, or null before the first load. */
  cursor: Cursor | null;
  #told: Cursor | null;
  #epoch: string | undefined;
  #seen = new Map<number, number>();
  #ids = new Set<string>();
  #waiting: LogFrame[] = [];
  #busy = false;
  #stopped = false;
  #show: (event: TodoEvent) => void;
  #load: (why: Reason) => unknown;

  constructor(cursor: Cursor | null, show: (event: TodoEvent) => void, load: (why: Reason) => unknown) {
    this.cursor = this.#told = cursor;
    this.#show = show;
    this.#load = load;
  }

  /** Take a frame in that was sent to a client at the cursor `at`; a gap before it means to load anew. */
  take(at: Cursor, frame: LogFrame): void {
    if (at !== this.#told) {
      this.#put({ type: "resync", why: this.#told === null ? "start" : "tabs", cursor: at });
    }
    this.#told = after(at, frame);
    this.#put(frame);
    void this.#run();
  }

  /** Go on from what was shown: a new connection begins there. */
  rewind(): void {
    this.#told = this.cursor;
  }

  stop(): void {
    this.#stopped = true;
  }

  #put(frame: LogFrame): void {
    // The load has in it all that waited to be shown.
    if (frame.type === "resync") this.#waiting = [];
    this.#waiting.push(frame);
  }

  async #run(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let frame; !this.#stopped && (frame = this.#waiting.shift()); ) {
      if (frame.type === "resync") await this.#reload(frame);
      else if (frame.type === "event") frame.e.forEach((event) => this.#take(event));
      else if (frame.type === "welcome") this.#enter(frame.epoch);
      // It may have been ended with a part of the frame not shown, or not loaded.
      if (this.#stopped) return;
      this.cursor = after(this.cursor, frame);
    }
    this.#busy = false;
  }

  async #reload(frame: Resync): Promise<void> {
    this.#seen.clear();
    this.#epoch = frame.epoch ?? this.#epoch;
    for (let failures = 0; !this.#stopped; failures++) {
      try {
        await this.#load(frame.why);
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, backoff(failures)));
      }
    }
  }

  #enter(epoch: string): void {
    // In another epoch the log may begin anew, below what was seen.
    if (epoch !== this.#epoch) this.#seen.clear();
    this.#epoch = epoch;
  }

  #take({ p, o, ...event }: Placed): void {
    if (o <= (this.#seen.get(p) ?? -1)) return;
    this.#seen.set(p, o);
    if (this.#ids.has(event.id)) return;
    this.#ids.add(event.id);
    if (this.#ids.size > KEPT_IDS) this.#ids.delete(this.#ids.values().next().value!);
    this.#show(event);
  }
}
