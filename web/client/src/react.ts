import { useEffect, useRef, useState } from "react";
import { connect, type EventOf, type EventType, type Live, type Options, type State, type TodoEvent } from "./index.ts";

/** A function for each type of event that a component wants, and for all: `*`. */
export type Listeners = { [T in EventType]?: (event: EventOf<T>) => void } & {
  "*"?: (event: TodoEvent) => void;
};

/** The state of a connection, and the connection once it is made. */
export interface Connected {
  state: State;
  /** As `Live.staleSince`: null while events come in time. */
  staleSince: string | null;
  live: Live | undefined;
}

/**
 * Connect to the live events of a user while the component is there.
 *
 * The functions may be other ones at each render: the last ones are called. It connects anew if `url` or `user`
 * changes.
 */
export function useTodoEvents({ on, ...options }: Options & { on: Listeners }): Connected {
  const latest = useRef({ on, options });
  const [state, setState] = useState<State>("connecting");
  const [staleSince, setStaleSince] = useState<string | null>(null);
  const [live, setLive] = useState<Live>();
  useEffect(() => {
    latest.current = { on, options };
  });
  const url = String(options.url);
  useEffect(() => {
    const live = connect({
      ...latest.current.options,
      token: () => latest.current.options.token(),
      onResync: (why) => latest.current.options.onResync?.(why),
      onState: (state, why) => {
        setState(state);
        latest.current.options.onState?.(state, why);
      },
      onStale: (since) => {
        setStaleSince(since);
        latest.current.options.onStale?.(since);
      },
    });
    live.on("*", (event) => {
      const { on } = latest.current;
      (on[event.type] as Listeners["*"])?.(event);
      on["*"]?.(event);
    });
    setStaleSince(null);
    setLive(live);
    return () => live.close();
  }, [url, options.user]);
  return { state, staleSince, live };
}
