/** The user of the page. `todo-workers demo --web` serves this file; a chatbot of yours asks its own login. */
export interface Session {
  user: string;
  name: string;
  token: string;
}

export async function session(): Promise<Session> {
  const answer = await fetch("/session.json", { cache: "no-store" });
  if (!answer.ok) throw new Error(`there is no session: ${answer.status}`);
  return answer.json();
}

/**
 * Publish an event, and try again until it is known to be published. A todo has one event of a type here, whose id is
 * made of both: who publishes it again, as after a failure, publishes the same event.
 * Throws an error with the server's words if it is refused.
 *
 * The demo's token may publish. In production a chatbot's own service does that, with a token that no page has.
 */
export async function publish(
  { user, name, token }: Session,
  type: string,
  todo: { id: string; title: string; due: string | null },
): Promise<void> {
  const owner = { name, email: user, time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone, language: "en" };
  const event = {
    specversion: "1.0",
    id: `${type} ${todo.id}`,
    source: "/todo-chatbot",
    type,
    subject: todo.id,
    time: new Date().toISOString(),
    data: { actor: `user:${name}`, todo: { ...todo, reminders: todo.due ? ["0m"] : [], owner } },
  };
  const request = {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/cloudevents+json" },
    body: JSON.stringify(event),
  };
  for (let tries = 1; ; tries++) {
    const answer = await fetch("/events", request).catch(() => null);
    if (answer?.ok) return;
    if (answer && answer.status < 500) throw new Error((await answer.json()).detail ?? answer.statusText);
    if (tries === 5) throw new Error("the service does not answer");
    await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tries * Math.random()));
  }
}
