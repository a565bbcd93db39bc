import {
  backoff,
  comesBack,
  PING_S,
  SUBPROTOCOL,
  type Cursor,
  type LogFrame,
  type ServerFrame,
} from "./protocol.ts";

/** `waiting` for the next try; `ended` for good: the server will not have this client back. */
export type State = "connecting" | "live" | "waiting" | "ended";

/** How long a token, a handshake and the welcome may take together, in ms. */
const WELCOME_MS = 20_000;

/** A connection that lasts longer ends the count of failures, in ms. */
const LASTED_MS = 5_000;

export interface Needs {
  url: string;
  client: string;
  WebSocket: new (url: string, protocol: string) => WebSocket;
  token(): string | Promise<string>;
  /** The place to go on from, asked for when a connection opens. */
  cursor(): Cursor | null;
  frame(frame: LogFrame): void;
  state(state: State, why: string): void;
}

/** Read a frame; undefined if it is none, whoever on the way has sent it. */
function parsed(data: unknown): ServerFrame | undefined {
  try {
    const frame: unknown = JSON.parse(String(data));
    return typeof frame === "object" && frame !== null ? (frame as ServerFrame) : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps one WebSocket open: says hello, answers pings, brings new tokens, and comes back. */
export class Connection {
  #needs: Needs;
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silence_ms = 2_000 * PING_S;
  #failures = 0;
  #welcomeAt = 0;
  /** Counts starts and ends, so that a token that comes late is not used. */
  #turn = 0;

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  /** Begin, once the caller is done: who makes the client has it in hand when its functions are called. */
  start(): void {
    this.stop();
    const turn = this.#turn;
    queueMicrotask(() => {
      if (turn === this.#turn) void this.#connect(turn);
    });
  }

  stop(): void {
    this.#turn++;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = undefined;
    // A socket that is closed before it has opened may still have an error: that listener stays.
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  async #connect(turn: number): Promise<void> {
    const needs = this.#needs;
    // A token that does not come is a failure, too, as is a socket that neither opens nor closes.
    this.#listen(WELCOME_MS);
    needs.state("connecting", "");
    if (turn !== this.#turn) return;
    let token: string;
    try {
      token = await needs.token();
      if (turn !== this.#turn) return;
      this.#socket = new needs.WebSocket(needs.url, SUBPROTOCOL);
    } catch (error) {
      if (turn === this.#turn) this.#again(undefined, String(error));
      return;
    }
    const socket = this.#socket;
    // In Node, an error that nobody listens to ends the process. What is to be done follows from its close.
    socket.onerror = () => {};
    socket.onopen = () => this.#send({ type: "hello", token, cursor: needs.cursor(), client: needs.client });
    socket.onmessage = ({ data }) => {
      const frame = parsed(data);
      if (frame) this.#take(frame);
      // No frame of ours, so one may be lost: the next connection goes on from what was shown.
      else this.#end(1002, undefined, "a frame that is no JSON object");
    };
    socket.onclose = ({ code, reason }) => this.#end(code, undefined, reason);
  }

  /** Take a connection for dead on which nothing comes for too long. */
  #listen(silence_ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(1006, undefined, "nothing came"), silence_ms);
  }

  #send(frame: object): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  #take(frame: ServerFrame): void {
    if (frame.type === "welcome") this.#silence_ms = 2_000 * frame.ping_s;
    this.#listen(this.#silence_ms);
    switch (frame.type) {
      case "welcome":
        this.#welcomeAt = Date.now();
        this.#needs.frame(frame);
        return this.#needs.state("live", "");
      case "ping":
        this.#send({ type: "pong" });
        return this.#needs.frame(frame);
      case "event":
      case "resync":
        return this.#needs.frame(frame);
      case "refresh":
        return void this.#refresh(this.#turn);
      case "bye":
        return this.#end(frame.code, frame.again_after_ms ?? undefined, frame.why);
    }
  }

  async #refresh(turn: number): Promise<void> {
    try {
      const token = await this.#needs.token();
      if (turn === this.#turn) this.#send({ type: "token", token });
    } catch {
      // The connection ends with its token, and the next one asks again.
    }
  }

  #end(code: number, again_ms: number | undefined, why: string): void {
    this.stop();
    if (comesBack(code)) this.#again(again_ms, why);
    else this.#needs.state("ended", why || String(code));
  }

  #again(again_ms: number | undefined, why: string): void {
    if (this.#welcomeAt && Date.now() - this.#welcomeAt > LASTED_MS) this.#failures = 0;
    this.#welcomeAt = 0;
    const turn = this.#turn;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#connect(turn), again_ms ?? backoff(this.#failures));
    this.#failures++;
    this.#needs.state("waiting", why);
  }
}
