/** The parts of the example's page that need no browser. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { publish } from "../example/app/session.ts";

const ANA = { user: "ana@example.com", name: "Ana", token: "token" };

test("who publishes an event again publishes the same one, and of another type or todo another", async (t) => {
  const answers = [Response.json({ detail: "not now" }, { status: 403 }), ...Array(3).fill(Response.json({}))];
  const fetch = mock.method(globalThis, "fetch", async () => answers.shift());
  t.after(() => fetch.mock.restore());
  const todo = { id: "1", title: "Call Zoë", due: null };
  await assert.rejects(publish(ANA, "todo.completed", todo), /not now/);
  await publish(ANA, "todo.completed", todo);
  await publish(ANA, "todo.created", todo);
  await publish(ANA, "todo.completed", { ...todo, id: "2" });
  const [failed, ...ids] = fetch.mock.calls.map(({ arguments: [, request] }) => JSON.parse(String(request?.body)).id);
  assert.equal(ids[0], failed);
  assert.equal(new Set(ids).size, 3);
});
