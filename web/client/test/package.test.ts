/** The package as others get it: what `npm run build` made. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { connect, type EventOf, type Live } from "@todo-workers/client";
import { useTodoEvents } from "@todo-workers/client/react";

test("it weighs at most 4 KB, gzipped, and needs nothing else", async () => {
  const script = await readFile("dist/index.js");
  assert.ok(gzipSync(script, { level: 9 }).length <= 4_096, `${gzipSync(script).length} bytes`);
  assert.doesNotMatch(script.toString(), /\bimport\b/);
  const { dependencies } = JSON.parse(await readFile("package.json", "utf8"));
  assert.equal(dependencies, undefined);
});

test("the hook takes the client from the package, and React from the page", async () => {
  const script = (await readFile("dist/react.js")).toString();
  const sources = [...script.matchAll(/from"([^"]+)"/g)].map(([, source]) => source);
  assert.deepEqual(sources.sort(), ["./index.js", "react"]);
  assert.equal(typeof useTodoEvents, "function");
});

test("the types say what an event holds", () => {
  const typed = (live: Live) => {
    live.on("todo.created", (event) => event.data.todo.title satisfies string);
    live.on("todo.updated", (event) => event.data.changes.title?.before satisfies unknown);
    live.on("reminder.fired", (event) => event.data.outcome satisfies "sent" | "late" | "skipped");
    // @ts-expect-error: it has no address of its owner
    live.on("todo.created", (event) => event.data.todo.owner.email);
    // @ts-expect-error: there is no such type
    live.on("todo.create", () => {});
    live.on("*", (event) => {
      if (event.type === "mail.sent") event.data.kind satisfies string;
    });
  };
  const sent: EventOf<"mail.sent">["data"] = { notice_id: "1", kind: "todo_created" };
  assert.deepEqual([typeof typed, sent.kind, typeof connect], ["function", "todo_created", "function"]);
});
