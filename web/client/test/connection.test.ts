import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { connect, type Live } from "../src/index.ts";
import { begin, client, FakeSocket, pass, settle } from "./fakes.ts";

beforeEach(begin);

test("it says hello with its token, and nothing in the URL", async () => {
  client({ url: "https://chat.example.com/live", client: "page/1.0" });
  await settle();
  assert.equal(FakeSocket.last.url, "wss://chat.example.com/live");
  assert.equal(FakeSocket.last.protocol, "todo.v1");
  const hello = { type: "hello", token: "token", cursor: null, client: "page/1.0" };
  assert.deepEqual(FakeSocket.last.welcome(), hello);
});

test("a cut connection goes on from the cursor of the last event that was shown", async () => {
  const seen = client();
  await settle();
  FakeSocket.last.welcome();
  FakeSocket.last.event(1);
  await settle();
  FakeSocket.last.cut();
  assert.deepEqual(seen.states, ["connecting", "live", "waiting"]);
  await pass(200);
  assert.equal(FakeSocket.made.length, 2);
  assert.equal(FakeSocket.last.welcome()["cursor"], "c1");
  FakeSocket.last.event(1);
  FakeSocket.last.event(2);
  await settle();
  assert.deepEqual(seen.titles, ["0.1", "0.2"]);
});

test("a given cursor is gone on from, without a load", async () => {
  const seen = client({ cursor: "c7" });
  await settle();
  assert.equal(FakeSocket.last.welcome()["cursor"], "c7");
  FakeSocket.last.event(8);
  await settle();
  assert.deepEqual([seen.titles, seen.loads, seen.live.cursor], [["0.8"], [], "c8"]);
});

test("a connection on which nothing comes for twice the time between pings is dead", async () => {
  client();
  await settle();
  FakeSocket.last.welcome({ ping_s: 10 });
  await pass(19_999);
  FakeSocket.last.say({ type: "ping", c: "c5" });
  assert.deepEqual(FakeSocket.last.sent[1], { type: "pong" });
  await pass(19_999);
  assert.equal(FakeSocket.last.isClosed, false);
  await pass(1);
  assert.equal(FakeSocket.made[0]!.isClosed, true);
  await pass(200);
  assert.equal(FakeSocket.last.welcome()["cursor"], "c5");
});

for (const garbage of ["<html>502 Bad Gateway</html>", "", '{"type":"event","e":[', "null", "7"]) {
  test(`a frame that is none of ours ends the connection, and nothing is lost: ${garbage}`, async () => {
    const seen = client();
    await settle();
    FakeSocket.last.welcome();
    FakeSocket.last.event(1);
    await settle();
    FakeSocket.last.hand(garbage);
    assert.ok(FakeSocket.last.isClosed);
    assert.equal(seen.states.at(-1), "waiting");
    await pass(200);
    assert.equal(FakeSocket.last.welcome()["cursor"], "c1");
    FakeSocket.last.event(2);
    await settle();
    assert.deepEqual(seen.titles, ["0.1", "0.2"]);
  });
}

test("a new token is brought when the old one ends soon, and another one at each connection", async () => {
  let tokens = 0;
  client({ token: async () => `token-${++tokens}` });
  await settle();
  assert.equal(FakeSocket.last.welcome()["token"], "token-1");
  FakeSocket.last.say({ type: "refresh", within_s: 60 });
  await settle();
  assert.deepEqual(FakeSocket.last.sent[1], { type: "token", token: "token-2" });
  FakeSocket.last.say({ type: "bye", code: 4002, again_after_ms: 0, why: "the token has ended" });
  await pass(0);
  assert.equal(FakeSocket.last.welcome()["token"], "token-3");
});

test("a token that cannot be had is asked for again", async () => {
  let asked = 0;
  const seen = client({
    token: () => (++asked < 3 ? Promise.reject(new Error("login is away")) : Promise.resolve("late")),
  });
  await settle();
  assert.equal(seen.live.state, "waiting");
  await pass(200);
  await pass(400);
  assert.equal(FakeSocket.last.welcome()["token"], "late");
});

test("a token that does not come is asked for again", async () => {
  let asked = 0;
  client({ token: () => (++asked < 2 ? new Promise(() => {}) : "late") });
  await settle();
  await pass(50_000);
  await pass(200);
  assert.equal(FakeSocket.last.welcome()["token"], "late");
});

test("a token that comes after the end opens nothing", async () => {
  let give: (token: string) => void = () => {};
  const seen = client({ token: () => new Promise((resolve) => (give = resolve)) });
  await settle();
  seen.live.close();
  give("late");
  await settle();
  assert.equal(FakeSocket.made.length, 0);
});

test("after the end nothing is called any more", async () => {
  const seen = client();
  await settle();
  FakeSocket.last.welcome();
  await settle();
  seen.live.close();
  FakeSocket.last.event(1);
  FakeSocket.last.cut();
  await pass(60_000);
  assert.deepEqual([seen.titles, FakeSocket.made.length, FakeSocket.last.isClosed], [[], 1, true]);
  assert.deepEqual(seen.states, ["connecting", "live"]);
});

test("a listener may end it, and is not called for the rest of a frame", async () => {
  const seen = client({ cursor: "c0" });
  seen.live.on("*", () => seen.live.close());
  await settle();
  FakeSocket.last.welcome();
  const event = (o: number) => ({ p: 0, o, type: "todo.created", id: `${o}`, data: { todo: { title: `${o}` } } });
  FakeSocket.last.say({ type: "event", c: "c2", e: [event(1), event(2)] });
  await settle();
  // The rest is still to be shown, to who goes on from the cursor.
  assert.deepEqual([seen.titles, seen.live.cursor], [["1"], "c0"]);
});

test("a page that fails to show a state keeps its connection, and is told of its fault", async () => {
  const seen = client({
    onState: (state) => {
      if (state === "connecting" && FakeSocket.made.length) throw new Error("a fault of the page");
    },
  });
  await settle();
  FakeSocket.last.welcome();
  FakeSocket.last.cut();
  await assert.rejects(() => pass(200), /a fault of the page/);
  await settle();
  assert.equal(FakeSocket.made.length, 2);
  FakeSocket.last.welcome();
  assert.equal(seen.live.state, "live");
});

test("nothing is called before who connects has the client", async () => {
  const cursors: unknown[] = [];
  const live: Live = connect({
    url: "ws://bridge/live",
    token: () => live.state,
    onState: () => cursors.push(live.cursor),
    WebSocket: FakeSocket as never,
  });
  assert.deepEqual(cursors, []);
  await settle();
  assert.deepEqual(cursors, [null]);
  assert.equal(FakeSocket.last.welcome()["token"], "connecting");
});

test("a client that is ended before it begins, or as it does, calls nothing and opens nothing", async () => {
  let tokens = 0;
  const token = () => `token-${++tokens}`;
  client({ token }).live.close();
  const seen = client({ token, onState: () => seen.live.close() });
  await settle();
  await pass(60_000);
  await pass(60_000);
  assert.deepEqual([tokens, FakeSocket.made.length], [0, 0]);
});

test("a socket that fails is heard, also one that was closed before it opened", async () => {
  const seen = client();
  await settle();
  FakeSocket.last.fail();
  assert.deepEqual(seen.states, ["connecting", "waiting"]);
  await pass(200);
  seen.live.close();
  FakeSocket.last.fail();
  assert.deepEqual(seen.states, ["connecting", "waiting", "connecting"]);
});

test("since when the log is not followed is there to be shown, and each change is told once", async () => {
  const seen = client();
  await settle();
  FakeSocket.last.welcome({ stale_since: "2026-06-01T12:00:00Z" });
  assert.equal(seen.live.staleSince, "2026-06-01T12:00:00Z");
  FakeSocket.last.say({ type: "ping", c: "c0", stale_since: null });
  assert.equal(seen.live.staleSince, null);
  FakeSocket.last.say({ type: "ping", c: "c0", stale_since: "2026-06-01T13:00:00Z" });
  assert.equal(seen.live.staleSince, "2026-06-01T13:00:00Z");
  // As a bridge of an older version pings.
  FakeSocket.last.say({ type: "ping", c: "c0" });
  assert.equal(seen.live.staleSince, "2026-06-01T13:00:00Z");
  assert.deepEqual(seen.stale, ["2026-06-01T12:00:00Z", null, "2026-06-01T13:00:00Z"]);
  FakeSocket.last.cut();
  await pass(60_000);
  FakeSocket.last.welcome();
  assert.deepEqual(seen.stale.at(-1), null);
});

test("a socket that neither opens nor closes is given up after 20 s", async () => {
  const seen = client();
  await settle();
  await pass(19_999);
  assert.deepEqual(seen.states, ["connecting"]);
  await pass(1);
  assert.deepEqual(seen.states, ["connecting", "waiting"]);
  await pass(200);
  assert.equal(FakeSocket.made.length, 2);
});
