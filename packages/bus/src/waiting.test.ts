/** What waits, and what is shed when too much does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EXCHANGES, exchangeNames } from "./exchanges.ts";
import { brokerAddress } from "./line.ts";
import { type Outgoing, Waiting } from "./waiting.ts";

const message = (id: number, sheddable: boolean, size = 10): Outgoing => ({
  exchange: sheddable ? "video_stream_exchange" : "imu_data_exchange",
  body: Buffer.alloc(size, id & 255),
  contentType: "text/plain",
  headers: { id },
  sheddable,
});

test("HUB-78 too much waits: pictures go first, oldest first, and facts only when no picture is left", () => {
  const arrivals = fc.array(fc.record({ sheddable: fc.boolean(), size: fc.integer({ min: 0, max: 50 }) }), {
    maxLength: 300,
  });
  const limit = { messages: 20, bytes: 400 };
  fc.assert(
    fc.property(arrivals, (list) => {
      const waiting = new Waiting();
      const kept = new Set<Outgoing>();
      list.forEach(({ sheddable, size }, id) => {
        const one = message(id, sheddable, size);
        waiting.add(one);
        kept.add(one);
        for (const dropped of waiting.trim(limit)) {
          const pictures = [...kept].filter((other) => other.sheddable);
          assert.equal(dropped, pictures[0] ?? [...kept][0]);
          kept.delete(dropped);
        }
        assert.ok(waiting.size <= limit.messages && waiting.bytes <= limit.bytes);
        assert.equal(waiting.size, kept.size);
        assert.equal(
          waiting.bytes,
          [...kept].reduce((sum, { body }) => sum + body.length, 0),
        );
      });
      const left = [...kept];
      const expected = [...left.filter((one) => !one.sheddable), ...left.filter((one) => one.sheddable)];
      assert.deepEqual(
        Array.from({ length: left.length }, () => waiting.take()),
        expected,
      );
      assert.equal(waiting.take(), undefined);
    }),
    { numRuns: 200 },
  );
});

test("HUB-78 what was on its way when the line broke goes first again, in its order", () => {
  const waiting = new Waiting();
  for (let id = 3; id < 5000; id++) waiting.add(message(id, id % 2 === 0));
  for (let id = 3; id < 4000; id += 2) assert.equal(waiting.take()?.headers.id, id, "facts go first");
  waiting.putBack([message(0, true), message(1, false), message(2, true)]);
  const ids = [];
  for (let one = waiting.take(); one; one = waiting.take()) ids.push(one.headers.id);
  assert.deepEqual(ids.slice(0, 3), [1, 4001, 4003]);
  assert.deepEqual(ids.slice(501, 505), [0, 2, 4, 6]);
});

test("HUB-77 HUB-101 each exchange has its name, or that which the environment gives it", () => {
  const plain = exchangeNames({});
  assert.deepEqual(Object.values(plain), [...EXCHANGES]);
  assert.equal(exchangeNames({ IMU_DATA_EXCHANGE: "imu", PLY_FANOUT_EXCHANGE: "" }).imu_data_exchange, "imu");
  assert.equal(exchangeNames({ PLY_FANOUT_EXCHANGE: " " }).ply_fanout_exchange, "ply_fanout_exchange");
  assert.throws(() => exchangeNames({ RESTART_EXCHANGE: "amq.fanout" }), /RESTART_EXCHANGE/);
});

test("a broker's address is read, and what is none is refused without repeating a password", () => {
  assert.equal(brokerAddress("amqp://a:b@host").port, 5672);
  assert.equal(brokerAddress("amqps://host").port, 5671);
  assert.deepEqual(brokerAddress("amqp://[::1]:99/vhost").host, "::1");
  for (const url of ["", "http://user:secret@host", "host:5672", "amqp://"]) {
    assert.throws(
      () => brokerAddress(url),
      (error: Error) => /amqp:\/\//.test(error.message) && !/secret/.test(error.message),
    );
  }
});
