import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { applyEvent, canonicalState } from "@cairn/protocol";
import { openDoor, RawClient, renamed, type TestDoor } from "../test/live-door.ts";

describe("resume (docs/spec/live.md)", () => {
  let house: TestDoor;
  let epoch: string;
  before(async () => {
    house = await openDoor();
    ({ epoch } = house.space.log);
    for (let i = 0; i < 20; i++) await house.space.log.append([renamed(`title ${i}`)]);
  });
  after(() => house.close());

  /** What a hello gets: whether it recovered, and from where on. */
  async function greet(hello: object) {
    const client = await RawClient.open(house.url, hello);
    const { head } = house.space.log;
    const welcome = await client.until((each) => each.of("welcome")[0]);
    const marker = await house.space.log.append([renamed("marker")]);
    await client.untilSeq(marker[0]!.seq);
    client.ws.close();
    return { welcome, head, client, snapshot: client.of("snapshot")[0], seqs: client.seqs, last: marker[0]!.seq };
  }

  const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

  test("LIVE-2 a newcomer gets a snapshot that names its seq, then every event after it", async () => {
    const { welcome, snapshot, seqs, last } = await greet({});
    assert.equal(welcome.recovered, false);
    assert.deepEqual(seqs, upTo(snapshot!.seq + 1, last));
  });

  test("LIVE-3 at the head and behind it nothing is missing and nothing comes twice", async () => {
    for (const behind of [0, 1, 7]) {
      const { head } = house.space.log;
      const { welcome, snapshot, seqs, last } = await greet({ after: head - behind, epoch });
      assert.deepEqual([welcome.recovered, snapshot], [true, undefined]);
      assert.deepEqual(seqs, upTo(head - behind + 1, last));
    }
  });

  test("LIVE-3 from 0 on without an epoch everything is sent", async () => {
    const { welcome, seqs, last } = await greet({ after: 0 });
    assert.equal(welcome.recovered, true);
    assert.deepEqual(seqs, upTo(1, last));
  });

  test("LIVE-4 ahead, a wrong epoch and no epoch are answered with a snapshot", async () => {
    const { head } = house.space.log;
    for (const hello of [{ after: head + 5, epoch }, { after: head, epoch: "another" }, { after: head }]) {
      const { welcome, snapshot, seqs, last } = await greet(hello);
      assert.equal(welcome.recovered, false);
      assert.deepEqual(seqs, upTo(snapshot!.seq + 1, last));
    }
  });

  test("LIVE-4 trimmed by one, at the edge and by all: never a gap", async () => {
    const { log } = house.space;
    for (const trimTo of [5, 6, log.head + 1]) {
      await log.trim(trimTo);
      for (const asked of [trimTo - 2, trimTo - 1]) {
        const { welcome, snapshot, seqs, last } = await greet({ after: asked, epoch });
        assert.equal(welcome.recovered, asked >= trimTo - 1, `after ${asked}, first ${trimTo}`);
        assert.deepEqual(seqs, upTo((snapshot?.seq ?? asked) + 1, last));
      }
    }
  });

  test("LIVE-2 a late joiner's state is the server's, letter by letter", async () => {
    const { snapshot, client, last } = await greet({});
    const { state } = snapshot!;
    for (const { events } of client.of("events")) for (const event of events) applyEvent(state, event);
    assert.equal(house.space.log.snapshot().seq, last);
    assert.equal(canonicalState(state), canonicalState(house.space.log.snapshot().state));
  });

  test("GEN-43 two sockets see the same events in the same order, encoded once for both", async () => {
    const { log } = house.space;
    const hello = { after: log.head, epoch };
    const clients = await Promise.all([RawClient.open(house.url, hello), RawClient.open(house.url, hello)]);
    await Promise.all(clients.map((client) => client.until((each) => each.of("welcome")[0])));
    const encodedBefore = house.door.stats().encoded;
    const from = log.head;
    await Promise.all(Array.from({ length: 300 }, (_, i) => log.append([renamed(`many ${i}`)])));
    await Promise.all(clients.map((client) => client.untilSeq(log.head)));
    for (const { seqs } of clients) assert.deepEqual(seqs, upTo(from + 1, log.head));
    const messages = Math.max(...clients.map((client) => client.of("events").length));
    assert.ok(house.door.stats().encoded - encodedBefore <= messages * 1.5, "encoded for each socket apart");
    for (const client of clients) client.ws.close();
  });
});
