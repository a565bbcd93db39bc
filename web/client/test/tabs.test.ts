import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { begin, client, FakeChannel, FakeSocket, pass, settle, type Seen } from "./fakes.ts";

beforeEach(begin);

/** Tabs of one user; the first has a socket that is welcome. */
async function tabs(count: number): Promise<Seen[]> {
  const all: Seen[] = [];
  for (let tab = 0; tab < count; tab++) {
    all.push(client({ user: "ana" }));
    await settle();
    if (!tab) FakeSocket.last.welcome();
    await settle();
  }
  return all;
}

const titles = (all: Seen[]) => all.map(({ titles }) => titles.join(" "));

test("all tabs of a user share one socket, and each is told of each event", async () => {
  const all = await tabs(3);
  assert.equal(FakeSocket.made.length, 1);
  FakeSocket.last.event(1);
  await settle();
  assert.deepEqual(titles(all), ["0.1", "0.1", "0.1"]);
  assert.deepEqual(all.map(({ live }) => [live.state, live.cursor]), Array(3).fill(["live", "c1"]));
  assert.deepEqual(all.map(({ loads }) => loads), Array(3).fill(["start"]));
});

test("a tab that comes later loads where the log is then, and goes on from there", async () => {
  const [first] = await tabs(1);
  FakeSocket.last.event(1);
  await settle();
  const second = client({ user: "ana" });
  await settle();
  assert.deepEqual([second.loads, second.live.cursor, second.live.state], [["start"], "c1", "live"]);
  FakeSocket.last.event(2);
  await settle();
  assert.deepEqual(titles([first!, second]), ["0.1 0.2", "0.2"]);
  assert.deepEqual(second.loads, ["start"]);
});

test("every tab knows since when the log is not followed, also one that comes later", async () => {
  const all = await tabs(2);
  FakeSocket.last.say({ type: "ping", c: "c0", stale_since: "2026-06-01T12:00:00Z" });
  all.push(client({ user: "ana" }));
  await settle();
  assert.deepEqual(all.map(({ live }) => live.staleSince), Array(3).fill("2026-06-01T12:00:00Z"));
  FakeSocket.last.say({ type: "ping", c: "c0", stale_since: null });
  await settle();
  assert.deepEqual(all.map(({ live }) => live.staleSince), Array(3).fill(null));
  assert.deepEqual(all.map(({ stale }) => stale), Array(3).fill(["2026-06-01T12:00:00Z", null]));
  assert.deepEqual(all.map(({ loads }) => loads), Array(3).fill(["start"]));
});

test("when the tab with the socket closes, another goes on from what it has seen", async () => {
  const all = await tabs(3);
  FakeSocket.last.event(1);
  await settle();
  all[0]!.live.close();
  await settle();
  assert.deepEqual([FakeSocket.made.length, FakeSocket.made[0]!.isClosed], [2, true]);
  assert.equal(FakeSocket.last.welcome()["cursor"], "c1");
  FakeSocket.last.event(1);
  FakeSocket.last.event(2);
  await settle();
  assert.deepEqual(titles(all), ["0.1", "0.1 0.2", "0.1 0.2"]);
  assert.deepEqual(all.map(({ loads }) => loads), Array(3).fill(["start"]));
});

test("a tab that missed something loads anew", async () => {
  const [first, second] = await tabs(2);
  const [, channel] = [...FakeChannel.open];
  channel!.isFrozen = true;
  FakeSocket.last.event(1);
  await settle();
  channel!.isFrozen = false;
  FakeSocket.last.event(2);
  await settle();
  assert.deepEqual([second!.loads, second!.live.cursor], [["start", "tabs"], "c2"]);
  assert.deepEqual(titles([first!, second!]), ["0.1 0.2", "0.2"]);
});

test("a frozen tab loses the socket to one that notices, and is told by it when it is back", async () => {
  const [first, second] = await tabs(2);
  const frozen = [...FakeChannel.open][0]!;
  frozen.isFrozen = true;
  await pass(49_000);
  assert.equal(FakeSocket.made.length, 1);
  await pass(1_000);
  await settle();
  const { welcome, event } = FakeSocket.last;
  assert.ok(FakeSocket.made.length > 1);
  assert.ok(FakeSocket.made[0]!.isClosed);
  frozen.isFrozen = false;
  assert.equal(welcome.call(FakeSocket.last)["cursor"], "c0");
  event.call(FakeSocket.last, 1);
  await settle();
  assert.deepEqual(titles([first!, second!]), ["0.1", "0.1"]);
  second!.live.close();
  await settle();
  assert.equal(FakeSocket.last.welcome()["cursor"], "c1");
});

test("a tab that is closed as it loads says nothing to the others any more", async () => {
  const seen = client({ user: "ana", onResync: () => seen.live.close() });
  const other = client({ user: "ana" });
  await settle();
  FakeSocket.last.welcome();
  await settle();
  assert.deepEqual([seen.states, seen.live.cursor, other.live.state], [["connecting"], null, "connecting"]);
  assert.equal(FakeSocket.made.length, 2);
});

test("others find out for themselves when the server will not have a tab back", async () => {
  const [first, second] = await tabs(2);
  FakeSocket.last.say({ type: "bye", code: 4501, again_after_ms: null, why: "the token is refused" });
  await settle();
  assert.deepEqual([first!.live.state, second!.live.state, FakeSocket.made.length], ["ended", "connecting", 2]);
  FakeSocket.last.welcome();
  assert.equal(second!.live.state, "live");
});

test("tabs of other users, without a user or with a cursor of their own have their own sockets", async () => {
  await tabs(1);
  client({ user: "bob" });
  client();
  client({ user: "ana", cursor: "c1" });
  await settle();
  assert.equal(FakeSocket.made.length, 4);
});

test("a browser without locks has a socket for each tab", async () => {
  Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  client({ user: "ana" });
  client({ user: "ana" });
  await settle();
  assert.equal(FakeSocket.made.length, 2);
});

test("a page that may not use locks has a socket for each tab, and each is told once", async () => {
  const request = () => Promise.reject(new DOMException("not here", "SecurityError"));
  Object.defineProperty(globalThis, "navigator", { value: { locks: { request } }, configurable: true });
  const all = [client({ user: "ana" }), client({ user: "ana" })];
  await settle();
  for (const socket of FakeSocket.made) socket.welcome();
  for (const socket of FakeSocket.made) socket.event(1);
  await settle();
  assert.equal(FakeSocket.made.length, 2);
  assert.deepEqual(titles(all), ["0.1", "0.1"]);
  assert.deepEqual(all.map(({ loads }) => loads), [["start"], ["start"]]);
});
