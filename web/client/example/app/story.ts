import type { TodoEvent } from "@todo-workers/client";

/** A todo, and what happened to it so far. Pure: each event makes another state. */
export interface Story {
  id: string;
  title: string;
  /** When the person said it, in ms since 1970. */
  at: number;
  due: string | null;
  isDone: boolean;
  /** The reason for which it could not be published; null if it was. */
  failed: string | null;
  lines: Line[];
}

export interface Line {
  id: string;
  kind: "record" | "mail" | "reminder" | "todo";
  text: string;
  at: number;
}

/** The stories after an event. One of a todo that is not known begins its story, as another tab may have said it. */
export function told(stories: Story[], event: TodoEvent, now: number): Story[] {
  const id = storyOf(stories, event);
  if (id === null) return stories;
  const known = stories.some((story) => story.id === id);
  if (!known && event.type !== "todo.created") return stories;
  const before = known ? stories : [...stories, { ...said(id, "", now), lines: [] }];
  return before.map((story) => (story.id === id ? after(story, event, now) : story));
}

export function said(id: string, title: string, at: number, due: string | null = null): Story {
  return { id, title, at, due, isDone: false, failed: null, lines: [] };
}

/** The todo that an event is about. The mail of a reminder names only its notice, which the reminder named before. */
function storyOf(stories: Story[], event: TodoEvent): string | null {
  if (event.subject !== null || !("notice_id" in event.data)) return event.subject;
  const { notice_id } = event.data;
  return stories.find(({ lines }) => lines.some(({ id }) => id === notice_id))?.id ?? null;
}

function after(story: Story, event: TodoEvent, at: number): Story {
  const line = lineOf(event, at);
  const lines = line ? [...story.lines, line] : story.lines;
  if (event.type !== "todo.created" && event.type !== "todo.completed") return { ...story, lines };
  const { title, due = null } = event.data.todo;
  return { ...story, title, due, isDone: event.type === "todo.completed", failed: null, lines };
}

function lineOf(event: TodoEvent, at: number): Line | null {
  switch (event.type) {
    case "event.recorded":
      return { id: event.id, kind: "record", text: `Audit trail: ${event.data.event_type} recorded`, at };
    case "mail.sent":
      return { id: event.id, kind: "mail", text: `Mail sent: ${MAILS[event.data.kind] ?? event.data.kind}`, at };
    case "mail.postponed":
      return { id: event.data.notice_id, kind: "mail", text: `Mail waits until ${clock(event.data.until)}`, at };
    case "mail.opted_out":
      return { id: event.id, kind: "mail", text: "No mail: you do not want these", at };
    case "mail.given_up":
      return { id: event.id, kind: "mail", text: "Mail given up: it is a dead letter now", at };
    case "reminder.set":
      return { id: event.id, kind: "reminder", text: `Reminder set for ${clock(event.data.at)}`, at };
    case "reminder.fired":
      return { id: event.data.notice_id, kind: "reminder", text: "Reminder is due", at };
    case "reminder.cancelled":
      return { id: event.id, kind: "reminder", text: "Reminder cancelled", at };
    case "todo.completed":
      return { id: event.id, kind: "todo", text: "Done", at };
    default:
      return null;
  }
}

const MAILS: Record<string, string> = {
  todo_created: "your new todo",
  todo_completed: "well done",
  todo_reminder: "your reminder",
};

export function clock(time: string | number): string {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
