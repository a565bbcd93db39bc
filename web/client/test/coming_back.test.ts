/** Whether a client comes back after the end of a connection, and when. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { begin, client, FakeSocket, pass, settle } from "./fakes.ts";

beforeEach(begin);

/** Let the random part of each wait be all of it. */
const wait_longest = () => mock.method(Math, "random", () => 1 - Number.EPSILON);

test("waits double with each failure, from 0.2 s up to 20 s", async (t) => {
  const random = wait_longest();
  t.after(() => random.mock.restore());
  client();
  await settle();
  for (const wait_ms of [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 20_000, 20_000]) {
    const tries = FakeSocket.made.length;
    FakeSocket.last.cut();
    await pass(wait_ms - 1);
    assert.equal(FakeSocket.made.length, tries, `before ${wait_ms} ms`);
    await pass(1);
    assert.equal(FakeSocket.made.length, tries + 1, `after ${wait_ms} ms`);
  }
});

test("a wait is a random part, from nothing to all of it", async (t) => {
  const random = mock.method(Math, "random", () => 0);
  t.after(() => random.mock.restore());
  client();
  await settle();
  FakeSocket.last.cut();
  await pass(1);
  assert.equal(FakeSocket.made.length, 2);
});

test("a connection that lasted ends the count of failures, one that did not does not", async (t) => {
  const random = wait_longest();
  t.after(() => random.mock.restore());
  client();
  await settle();
  for (const [lasted_ms, wait_ms] of [[0, 200], [4_000, 400], [6_000, 200]] as const) {
    FakeSocket.last.welcome();
    await pass(lasted_ms);
    const tries = FakeSocket.made.length;
    FakeSocket.last.cut();
    await pass(wait_ms - 1);
    assert.equal(FakeSocket.made.length, tries);
    await pass(1);
    assert.equal(FakeSocket.made.length, tries + 1);
  }
});

test("bye says when to come back", async () => {
  client();
  await settle();
  FakeSocket.last.welcome();
  FakeSocket.last.say({ type: "bye", code: 4000, again_after_ms: 731, why: "the server stops" });
  assert.ok(FakeSocket.made[0]!.isClosed);
  await pass(730);
  assert.equal(FakeSocket.made.length, 1);
  await pass(1);
  assert.equal(FakeSocket.made.length, 2);
});

for (const code of [1000, 1006, 1012, 4000, 4002, 4008, 4499, 5000]) {
  test(`it comes back after ${code}`, async () => {
    const seen = client();
    await settle();
    FakeSocket.last.cut(code);
    await pass(200);
    assert.equal(FakeSocket.made.length, 2);
    assert.equal(seen.live.state, "connecting");
  });
}

for (const code of [1009, 4500, 4501, 4999]) {
  test(`it does not come back after ${code}`, async () => {
    const seen = client();
    await settle();
    FakeSocket.last.welcome();
    FakeSocket.last.say({ type: "bye", code, again_after_ms: null, why: "no" });
    await pass(60_000);
    assert.equal(FakeSocket.made.length, 1);
    assert.deepEqual(seen.states, ["connecting", "live", "ended"]);
  });
}
