/** The frames of `todo.v1`, as docs/live.md describes them. */

import type { TodoEvent } from "./events.ts";

/** A place in the log, up to which a client has seen it; opaque. */
export type Cursor = string;

/** An event with its place in the log: `o` grows within a `p`. */
export type Placed = TodoEvent & { p: number; o: number };

export interface Welcome {
  type: "welcome";
  cursor: Cursor | null;
  epoch: string;
  ping_s: number;
  /** The time since which the bridge cannot follow the log, or null. */
  stale_since: string | null;
}

/** Reasons to load everything anew: the server's, and two of the client's own: it is the first
 * load, or this tab was not told of everything that another one was sent. */
export type Reason = "start" | "tabs" | "cursor" | "epoch" | "too-old" | "future" | "too-much";

export interface Resync {
  type: "resync";
  why: Reason;
  cursor: Cursor;
  epoch?: string;
}

export interface Events {
  type: "event";
  c?: Cursor;
  e: Placed[];
}

export interface Ping {
  type: "ping";
  c?: Cursor;
  /** As in welcome; a bridge of an older version sends none. */
  stale_since?: string | null;
}

export interface Bye {
  type: "bye";
  code: number;
  again_after_ms: number | null;
  why: string;
}

export type ServerFrame = Welcome | Resync | Events | Ping | Bye | { type: "refresh" };
/** The frames that say something about the log: all tabs are told of them. */
export type LogFrame = Welcome | Resync | Events | Ping;

export const SUBPROTOCOL = "todo.v1";
/** The server sends something at least this often, until it says so itself. */
export const PING_S = 25;

/** Tells whether a client comes back after a connection has ended with this code. */
export const comesBack = (code: number): boolean => code !== 1009 && !(code >= 4500 && code <= 4999);

/** The wait before the next try, in ms: a random part of a time that doubles with each failure. */
export const backoff = (failures: number): number => Math.random() * Math.min(20_000, 200 * 2 ** failures);

/** The cursor after a frame that came at `cursor`. */
export function after(cursor: Cursor | null, frame: LogFrame): Cursor | null {
  return (frame.type === "welcome" || frame.type === "resync" ? frame.cursor : frame.c) ?? cursor;
}
