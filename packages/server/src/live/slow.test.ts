import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { applyEvent, canonicalState, type EventDraft, emptyState } from "@cairn/protocol";
import { openDoor, RawClient, renamed } from "../test/live-door.ts";

const IMAGE = "0b0f8a3e-6d5c-4c3e-9b1a-2f3c4d5e6f70";
/** About 1 KB a piece, so that publishing is quick to weigh. */
const heavy = (i: number): EventDraft => ({
  type: "operation.failed",
  data: { operation: IMAGE, code: `${i}`.padEnd(500, "x"), message: "y".repeat(480) },
});

describe("slow clients (docs/spec/live.md)", () => {
  test("GEN-22 a client that stops reading costs under 8 MiB while 60 MiB are published; others get all of it", async () => {
    // It is silent for as long as the machine takes to publish all that.
    const house = await openDoor({ limits: { slowMs: 600_000, deadMs: 600_000 } });
    const { log } = house.space;
    const others = await Promise.all([RawClient.open(house.url, {}), RawClient.open(house.url, {})]);
    const slow = await RawClient.open(house.url, {});
    await slow.until((each) => each.of("snapshot")[0]);
    slow.ws.pause();

    let worstBytes = 0;
    let publishedBytes = 0;
    for (let i = 0; publishedBytes < 62 * 2 ** 20; i++) {
      const drafts = Array.from({ length: 1000 }, (_, k) => heavy(i * 1000 + k));
      publishedBytes += JSON.stringify(drafts).length;
      await log.append(drafts);
      await Promise.all(others.map((each) => each.untilSeq(log.head)));
      for (const each of others) each.messages.splice(0, each.messages.length - 1);
      worstBytes = Math.max(worstBytes, house.door.stats().waitingBytes);
    }
    assert.ok(worstBytes > 0, "the slow client was never behind: nothing was tested");
    assert.ok(worstBytes <= 2 ** 20, `${worstBytes} bytes waited for one socket`);

    // It comes back and gets everything it missed, in order, from the log.
    slow.ws.resume();
    const head = log.head;
    await slow.untilSeq(head);
    const { seq } = slow.of("snapshot")[0]!;
    assert.deepEqual(
      slow.seqs,
      Array.from({ length: head - seq }, (_, i) => seq + 1 + i),
    );
    await house.close();
  });

  test("GEN-22 one that takes nothing while data wait is closed with 1013", async () => {
    const house = await openDoor({ limits: { slowMs: 300 } });
    const slow = await RawClient.open(house.url, {});
    await slow.until((each) => each.of("snapshot")[0]);
    slow.ws.pause();
    for (let i = 0; i < 20; i++) await house.space.log.append(Array.from({ length: 1000 }, (_, k) => heavy(k)));
    while (!house.door.stats().closes.has(1013)) await new Promise((resolve) => setImmediate(resolve));
    slow.ws.resume();
    assert.deepEqual(await slow.closed, { code: 1013, reason: "client too slow" });
    await house.close();
  });

  test("LIVE-6 superseded events are left out for who is far behind; the state is the same", async () => {
    const house = await openDoor();
    const { log } = house.space;
    await log.append([{ type: "operation.queued", data: { operation: IMAGE, kind: "rebuild" } }]);
    const from = log.head;
    for (let i = 0; i < 6; i++) {
      await log.append(
        Array.from({ length: 1000 }, (_, k) => ({
          type: "operation.progressed" as const,
          data: { operation: IMAGE, stage: "x", done: i * 1000 + k, total: 6000 },
        })),
      );
    }
    await log.append([renamed("end")]);
    const client = await RawClient.open(house.url, { after: 0, epoch: log.epoch });
    await client.untilSeq(log.head);
    assert.ok(client.seqs.length < log.head - from, "nothing was left out");
    assert.ok(client.of("events").some(({ after }) => after !== undefined));
    const state = structuredClone(log.snapshot().state);
    const folded = emptyState();
    for (const { events } of client.of("events")) for (const event of events) applyEvent(folded, event);
    assert.equal(canonicalState(folded), canonicalState(state));
    await house.close();
  });
});
