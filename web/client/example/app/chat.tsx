"use client";

import { useTodoEvents } from "@todo-workers/client/react";
import { useEffect, useRef, useState, type FormEvent } from "react";
import { publish, session, type Session } from "./session";
import { clock, said, told, type Line, type Story } from "./story";

const REMIND_IN = [
  { label: "no reminder", ms: 0 },
  { label: "remind me in 5 seconds", ms: 5_000 },
  { label: "remind me in 1 minute", ms: 60_000 },
  { label: "remind me in 1 hour", ms: 3_600_000 },
];

const STATES = {
  connecting: "Connecting",
  live: "Live",
  waiting: "Offline, trying again",
  ended: "Signed out: load the page again",
};

/** Signs in, then shows the chat. */
export function Chat() {
  const [who, setWho] = useState<Session>();
  const [failed, setFailed] = useState("");
  useEffect(() => {
    session().then(setWho, (error: Error) => setFailed(error.message));
  }, []);
  if (who) return <Conversation who={who} />;
  return <p className="empty">{failed || "Signing in …"}</p>;
}

/** The key of what is kept of a user when the page is left: the stories, and the cursor of the last event in them. */
const keyOf = (user: string) => `todo-chatbot ${user}`;
const kept = (user: string): { stories: Story[]; cursor: string | undefined } =>
  JSON.parse(sessionStorage.getItem(keyOf(user)) ?? '{"stories": []}');

function Conversation({ who }: { who: Session }) {
  const [before] = useState(() => kept(who.user));
  const [stories, setStories] = useState(before.stories);
  // In step with the cursor, which may be ahead of what React has rendered.
  const latest = useRef(before.stories);
  const change = (to: (stories: Story[]) => Story[]) => {
    latest.current = to(latest.current);
    setStories(latest.current);
  };
  const { state, staleSince, live } = useTodoEvents({
    url: "/live",
    user: who.user,
    ...(before.cursor && { cursor: before.cursor }),
    token: async () => (await session()).token,
    // There is no service to load todos from here: the page goes on with those that it knows.
    on: { "*": (event) => change((stories) => told(stories, event, Date.now())) },
  });

  useEffect(() => {
    const keep = () => {
      const kept = { stories: latest.current, cursor: live?.cursor ?? before.cursor };
      sessionStorage.setItem(keyOf(who.user), JSON.stringify(kept));
    };
    addEventListener("pagehide", keep);
    return () => removeEventListener("pagehide", keep);
  }, [live, who.user, before.cursor]);

  const send = (type: "todo.created" | "todo.completed", story: Story) =>
    publish(who, type, { id: story.id, title: story.title, due: story.due }).catch((error: Error) =>
      change((all) => all.map((one) => (one.id === story.id ? { ...one, failed: error.message } : one))),
    );

  const say = (title: string, remindIn: number) => {
    const now = Date.now();
    const due = remindIn ? new Date(now + remindIn).toISOString() : null;
    const story = said(crypto.randomUUID(), title, now, due);
    change((stories) => [...stories, story]);
    void send("todo.created", story);
  };

  return (
    <div className="chat">
      <header>
        <h1>Todo chatbot</h1>
        <p className="who">{who.name}</p>
        <p className={`state ${state}`} role="status">
          {state === "live" && staleSince !== null ? "Live, but updates are late" : STATES[state]}
        </p>
      </header>
      <Stories stories={stories} complete={(story) => send("todo.completed", story)} />
      <Composer say={say} />
    </div>
  );
}

function Stories({ stories, complete }: { stories: Story[]; complete: (story: Story) => Promise<void> }) {
  const end = useRef<HTMLLIElement>(null);
  const lines = stories.reduce((sum, { lines }) => sum + lines.length, stories.length);
  useEffect(() => {
    end.current?.scrollIntoView({ block: "end" });
  }, [lines]);
  if (!stories.length) {
    return (
      <main className="empty">
        <p>What is to be done?</p>
        <p>Type a todo: its line in the audit trail, its mail and its reminder show here as they happen.</p>
      </main>
    );
  }
  return (
    <main>
      <ol className="stories" role="log" aria-label="Todos">
        {stories.map((story) => (
          <Todo key={story.id} story={story} complete={() => complete(story)} />
        ))}
        <li ref={end} aria-hidden="true" />
      </ol>
    </main>
  );
}

function Todo({ story, complete }: { story: Story; complete: () => Promise<void> }) {
  const [isSending, setSending] = useState(false);
  const done = async () => {
    setSending(true);
    await complete();
    setSending(false);
  };
  return (
    <li className="story">
      <div className="said">
        <p className={story.isDone ? "title done" : "title"}>{story.title}</p>
        <time dateTime={new Date(story.at).toISOString()}>{clock(story.at)}</time>
      </div>
      {story.failed && (
        <p className="failed" role="alert">
          Not published: {story.failed}
        </p>
      )}
      <ul className="lines">
        {story.lines.map((line) => (
          <li key={`${line.kind} ${line.id}`} className={line.kind}>
            <span>{line.text}</span>
            <small>{since(story, line)}</small>
          </li>
        ))}
      </ul>
      {story.lines.length > 0 && !story.isDone && (
        <button type="button" onClick={done} disabled={isSending} aria-label={`Done: ${story.title}`}>
          Done
        </button>
      )}
    </li>
  );
}

/** The time from the todo to a line of it. */
function since(story: Story, line: Line): string {
  const ms = line.at - story.at;
  return ms < 1_000 ? `${ms} ms` : ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : clock(line.at);
}

function Composer({ say }: { say: (title: string, remindIn: number) => void }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = new FormData(form);
    const title = String(fields.get("title")).trim();
    if (!title) return;
    say(title, Number(fields.get("remind")));
    form.reset();
  };
  return (
    <form onSubmit={submit}>
      <label className="hidden" htmlFor="title">
        Todo
      </label>
      <input id="title" name="title" placeholder="Call Zoë about the flights" maxLength={200} autoComplete="off" autoFocus />
      <label className="hidden" htmlFor="remind">
        Reminder
      </label>
      <select id="remind" name="remind" defaultValue={5_000}>
        {REMIND_IN.map(({ label, ms }) => (
          <option key={ms} value={ms}>
            {label}
          </option>
        ))}
      </select>
      <button type="submit">Send</button>
    </form>
  );
}
