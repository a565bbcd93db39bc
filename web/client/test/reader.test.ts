import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { TodoEvent } from "../src/events.ts";
import type { LogFrame, Placed, Reason } from "../src/protocol.ts";
import { Reader } from "../src/reader.ts";
import { begin, client, FakeSocket, pass, settle } from "./fakes.ts";

beforeEach(begin);

test("the first load comes after welcome, and events wait for it", async () => {
  let loaded = () => {};
  const seen = client({ onResync: () => new Promise<void>((resolve) => (loaded = resolve)) });
  await settle();
  FakeSocket.last.welcome();
  FakeSocket.last.event(1);
  await settle();
  assert.deepEqual([seen.titles, seen.live.cursor], [[], null]);
  loaded();
  await settle();
  assert.deepEqual([seen.titles, seen.live.cursor], [["0.1"], "c1"]);
});

test("resync means to load anew: the numbers of the log may begin anew, and the cursor counts only then", async () => {
  const seen = client();
  await settle();
  FakeSocket.last.welcome();
  FakeSocket.last.event(9);
  await settle();
  FakeSocket.last.say({ type: "resync", why: "epoch", cursor: "d0", epoch: "f" });
  assert.equal(seen.live.cursor, "c9");
  FakeSocket.last.event(1, { id: "another", c: "d1" });
  await settle();
  assert.deepEqual([seen.loads, seen.titles, seen.live.cursor], [["start", "epoch"], ["0.9", "0.1"], "d1"]);
});

test("a load that fails is tried again, and a connection meanwhile goes on from before it", async () => {
  let tries = 0;
  const seen = client({
    onResync: async () => {
      if (++tries < 3) throw new Error("away");
    },
  });
  await settle();
  FakeSocket.last.welcome();
  FakeSocket.last.event(1);
  await settle();
  FakeSocket.last.cut();
  await pass(200);
  assert.equal(FakeSocket.last.welcome()["cursor"], null);
  await pass(400);
  await pass(800);
  assert.ok(tries >= 3);
  assert.equal(seen.live.cursor, "c0");
});

test("a client that is ended while a load fails has not moved", async () => {
  const seen = client({
    onResync: async () => {
      throw new Error("away");
    },
  });
  await settle();
  FakeSocket.last.welcome();
  await settle();
  seen.live.close();
  await pass(60_000);
  assert.equal(seen.live.cursor, null);
});

test("what repeats an event is not shown: a number of the log, or an id", async () => {
  const seen = client();
  await settle();
  FakeSocket.last.welcome();
  FakeSocket.last.event(2, { p: 1 });
  FakeSocket.last.event(1, { p: 1, id: "other" });
  FakeSocket.last.event(1, { p: 2 });
  FakeSocket.last.event(3, { p: 1, id: "id-1-2" });
  await settle();
  assert.deepEqual(seen.titles, ["1.2", "2.1"]);
});

test("another epoch at welcome lets numbers begin anew", async () => {
  const seen = client();
  await settle();
  FakeSocket.last.welcome();
  FakeSocket.last.event(5);
  FakeSocket.last.cut();
  await pass(200);
  FakeSocket.last.welcome({ epoch: "another" });
  FakeSocket.last.event(1);
  await settle();
  assert.deepEqual(seen.titles, ["0.5", "0.1"]);
});

test("a part of what was missed does not move the cursor", async () => {
  const seen = client();
  await settle();
  FakeSocket.last.welcome();
  FakeSocket.last.event(1);
  FakeSocket.last.say({ type: "event", e: [] });
  await settle();
  assert.equal(seen.live.cursor, "c1");
});

test("a listener that fails keeps no other from its event", async () => {
  const seen = client();
  const all: string[] = [];
  const faulty = seen.live.on("todo.created", () => {
    throw new Error("a fault of the page");
  });
  seen.live.on("*", (event) => all.push(event.type));
  await settle();
  FakeSocket.last.welcome();
  FakeSocket.last.event(1);
  await settle();
  faulty();
  FakeSocket.last.event(2);
  await settle();
  assert.deepEqual([seen.titles, all], [["0.1", "0.2"], ["todo.created", "todo.created"]]);
  await assert.rejects(() => pass(1), /a fault of the page/);
});

/** A log whose cursors are numbers, read by a client that is cut, sent back and told things twice at random. */
test("whatever is repeated or cut, each event is shown once and in order in its partition", async () => {
  const random = numbers(7);
  for (let round = 0; round < 200; round++) {
    const log: Placed[] = Array.from({ length: 30 }, (_, n) => event(random(3), n, random(4) ? n : random(n + 1)));
    const shown: TodoEvent[] = [];
    const reader = new Reader("0", (event) => shown.push(event), (why: Reason) => assert.fail(why));
    for (let at = 0; at < log.length; ) {
      reader.rewind();
      // As a bridge that resumes: from the cursor on, or from somewhere before it, in frames of some events.
      let next = Math.max(0, at - random(5));
      let cursor = String(at);
      for (let frames = random(5); frames >= 0 && next < log.length; frames--) {
        const size = 1 + random(4);
        const e = log.slice(next, next + size);
        next += e.length;
        const frame: LogFrame = { type: "event", e, ...(random(5) && next > at ? { c: String(next) } : {}) };
        reader.take(cursor, frame);
        cursor = frame.c ?? cursor;
      }
      at = Number(reader.cursor);
    }
    const ids = shown.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual([...ids].sort(), [...new Set(log.map(({ id }) => id))].sort());
    for (const p of [0, 1, 2]) {
      const order = (shown as Placed[]).filter((event) => event.p === p).map((event) => event.o);
      assert.deepEqual(order, [...order].sort((a, b) => a - b));
    }
  }
});

function event(p: number, o: number, id: number): Placed {
  return { p, o, id: `id-${id}`, type: "mail.sent", time: "", subject: null, data: { notice_id: "", kind: "" } };
}

/** Whole numbers below a bound, always the same ones. */
function numbers(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
}
