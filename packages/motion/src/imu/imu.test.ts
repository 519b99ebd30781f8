import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readAxes, turnAxes } from "./axes.ts";
import { ImuBuffer } from "./buffer.ts";
import { readImu } from "./read.ts";
import { BadSample, type ImuSample, MAX_TIMESTAMP } from "./sample.ts";
import { nsByDigits } from "./time-unit.ts";
import { IMU_CSV_HEADER, imuCsvLine, imuText, readImuCsv } from "./write.ts";

const SENSORS = '"accelerometer":{"x":1,"y":2.5,"z":-9.81},"gyroscope":{"x":0,"y":-0.25,"z":1e-3}';
const at = (timestamp: bigint): ImuSample => ({ timestamp, accelerometer: [1, 2, 3], gyroscope: [4, 5, 6] });
const timestamps = fc.bigInt({ min: 0n, max: MAX_TIMESTAMP });
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const refuses = (text: string, cause: RegExp) =>
  assert.throws(
    () => readImu(text),
    (error) => error instanceof BadSample && cause.test(error.message),
    text,
  );

test("HUB-50 a timestamp keeps every digit, as a number and as text", () => {
  for (const written of [
    "1750000000952559124",
    '"1750000000952559124"',
    "1750000000952559124.0",
    "1.750000000952559124e18",
  ]) {
    assert.equal(readImu(`{"timestamp": ${written} ,${SENSORS}}`).timestamp, 1750000000952559124n, written);
  }
  fc.assert(
    fc.property(timestamps, fc.boolean(), (timestamp, quoted) => {
      const text = `{${SENSORS},"timestamp":${quoted ? `"${timestamp}"` : timestamp}}`;
      assert.equal(readImu(text).timestamp, timestamp);
    }),
    { seed: 1 },
  );
});

test("HUB-50 whatever stands around it, the timestamp is the message's own", () => {
  const others = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(timestamps, others, others, fc.integer({ min: 0, max: 2 }), (timestamp, before, after, space) => {
      delete before.imu_data;
      delete after.imu_data;
      const decoys = {
        ...before,
        '"timestamp":7': '"timestamp": 8',
        nested: { timestamp: 9, list: [{ timestamp: 10 }] },
      };
      const inside = (value: object) => JSON.stringify(value, null, space).slice(1, -1);
      const rest = Object.keys(after).length > 0 ? `,${inside({ ...after, timestamp: 1 })}` : "";
      const text = `{${inside(decoys)}${rest},"timest\\u0061mp" : ${timestamp},${SENSORS}}`;
      assert.equal(readImu(text).timestamp, timestamp);
    }),
    { seed: 2 },
  );
});

test("HUB-50 HUB-55 what is no time from 0 to 2^63 - 1, or no sensor, is refused with its cause", () => {
  assert.equal(readImu(`{"timestamp":${MAX_TIMESTAMP},${SENSORS}}`).timestamp, MAX_TIMESTAMP);
  assert.equal(readImu(`{"timestamp":0,${SENSORS}}`).timestamp, 0n);
  refuses(`{"timestamp":${MAX_TIMESTAMP + 1n},${SENSORS}}`, /over 2\^63/);
  refuses(`{"timestamp":1e300,${SENSORS}}`, /timestamp/);
  for (const bad of [
    "1.5",
    "-1",
    '"-1"',
    '"1.5"',
    '""',
    '"12a"',
    "null",
    "true",
    "[1]",
    "{}",
    '" 1"',
    "1e-3",
    '"\\u0031"',
  ]) {
    refuses(`{"timestamp":${bad},${SENSORS}}`, /^timestamp is not a whole number$/);
  }
  refuses(`{${SENSORS}}`, /^timestamp is missing$/);
  refuses('{"timestamp":1}', /^accelerometer is missing$/);
  refuses('{"timestamp":1,"accelerometer":{"x":1,"y":2,"z":3}}', /^gyroscope is missing$/);
  refuses('{"timestamp":1,"accelerometer":{"x":1,"y":2},"gyroscope":{}}', /^accelerometer.z is missing$/);
  for (const bad of ["1e999", "null", '"1"', "[]"]) {
    refuses(
      `{"timestamp":1,"accelerometer":{"x":1,"y":${bad},"z":3},"gyroscope":{}}`,
      /^accelerometer.y is not a finite/,
    );
  }
  refuses("NaN", /^not JSON$/);
  refuses("[]", /^not a JSON object$/);
});

test("HUB-55 nothing but a bad sample comes of whatever text", () => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.jsonValue().map((value) => `{"timestamp":${JSON.stringify(value)}}`),
  );
  fc.assert(
    fc.property(text, (said) => {
      try {
        readImu(said);
      } catch (error) {
        assert.ok(error instanceof BadSample, String(error));
      }
    }),
    { seed: 3 },
  );
});

test("HUB-54 the nested form says the same", () => {
  const wanted = readImu(`{"timestamp":1750000000952559124,${SENSORS}}`);
  assert.deepEqual(readImu(`{"type":"imu_data","timestamp":1750000000952559124,"imu_data":{${SENSORS}}}`), wanted);
  assert.deepEqual(readImu(`{"imu_data":{${SENSORS},"timestamp":"1750000000952559124"},"type":"imu_data"}`), wanted);
});

test("HUB-53 written again it has the same digits, its sensors and its source, and nothing else", () => {
  const text = `{"type":"imu_data","timestamp":"1750000000952559124","extra":1,${SENSORS}}`;
  assert.equal(
    imuText(readImu(text), "phone-1"),
    '{"type":"imu_data","timestamp":1750000000952559124,"accelerometer":{"x":1,"y":2.5,"z":-9.81},' +
      '"gyroscope":{"x":0,"y":-0.25,"z":0.001},"source":"phone-1"}',
  );
  const vector = fc.tuple(finite, finite, finite);
  fc.assert(
    fc.property(timestamps, vector, vector, (timestamp, a, w) => {
      const [accelerometer, gyroscope] = [a.map((x) => x + 0), w.map((x) => x + 0)] as [typeof a, typeof w];
      const sample: ImuSample = { timestamp, accelerometer, gyroscope };
      assert.deepEqual(readImu(imuText(sample)), sample);
      const line = imuCsvLine(sample, timestamp);
      assert.deepEqual([...readImuCsv(`${IMU_CSV_HEADER}\n${line}\n`)], [sample]);
    }),
    { seed: 4 },
  );
});

test("HUB-56 digits tell the unit", () => {
  assert.equal(nsByDigits(1750000000n), 1750000000_000000000n);
  assert.equal(nsByDigits(1750000000123n), 1750000000123_000000n);
  assert.equal(nsByDigits(1750000000123456n), 1750000000123456_000n);
  assert.equal(nsByDigits(1750000000123456789n), 1750000000123456789n);
  assert.equal(nsByDigits(12n), 12n);
});

test("HUB-57 axes are turned for both sensors, or refused", () => {
  const turned = turnAxes({ timestamp: 1n, accelerometer: [1, 2, 3], gyroscope: [4, 5, 6] }, readAxes("x, -z,+y"));
  assert.deepEqual(turned, { timestamp: 1n, accelerometer: [1, -3, 2], gyroscope: [4, -6, 5] });
  assert.deepEqual(turnAxes(at(1n), readAxes("x,y,z")), at(1n));
  assert.deepEqual(readAxes("-x,y,z")([0, 0, 0]), [0, 0, 0]);
  for (const bad of ["", "x,y", "x,y,y", "x,y,z,x", "x,y,w", "x;y;z", "--x,y,z"])
    assert.throws(() => readAxes(bad), RangeError);
});

/** Batches of samples with a flush after each: any order, duplicates, jumps of the clock, times of the far future. */
const batches = fc.array(
  fc.array(fc.oneof(fc.bigInt({ min: 0n, max: 40n }), fc.constant(MAX_TIMESTAMP), timestamps), { maxLength: 60 }),
  { maxLength: 12 },
);

test("HUB-51 HUB-52 every timestamp leaves once, the first that came, strictly ascending within its flush", () => {
  fc.assert(
    fc.property(batches, (all) => {
      const buffer = new ImuBuffer();
      const seen = new Set<bigint>();
      let [count, duplicates, late, newest, flushed] = [0, 0, 0, -1n, 0];
      for (const batch of all) {
        const expected: ImuSample[] = [];
        for (const timestamp of batch) {
          const sample: ImuSample = { timestamp, accelerometer: [count++, 0, 0], gyroscope: [0, 0, 0] };
          const fresh = !seen.has(timestamp);
          assert.equal(buffer.push(sample), fresh);
          if (!fresh) duplicates++;
          else expected.push(sample);
          if (fresh && timestamp < newest) late++;
          seen.add(timestamp);
        }
        const samples = buffer.flush();
        assert.deepEqual(
          samples,
          expected.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1)),
        );
        flushed += samples.length;
        newest = [newest, ...seen].reduce((a, b) => (a > b ? a : b));
        assert.equal(buffer.waiting, 0);
      }
      assert.deepEqual(buffer.counts, { samples: flushed, duplicates, late, dropped: 0 });
    }),
    { seed: 5 },
  );
});

test("HUB-51 a duplicate is known among the last 10,000, and not after", () => {
  const buffer = new ImuBuffer();
  for (let t = 0n; t < 10_000n; t++) assert.ok(buffer.push(at(t)));
  buffer.flush();
  assert.ok(!buffer.push(at(0n)), "it does not become younger by coming again");
  assert.ok(buffer.push(at(10_000n)));
  assert.ok(buffer.push(at(0n)));
  assert.equal(buffer.counts.late, 1);
});

test("HUB-52 a sample from before the last flush goes with the next one and is counted", () => {
  const buffer = new ImuBuffer();
  for (const t of [5n, 3n, 9n, 3n]) buffer.push(at(t));
  assert.deepEqual(
    buffer.flush().map(({ timestamp }) => timestamp),
    [3n, 5n, 9n],
  );
  for (const t of [12n, 4n, 11n]) buffer.push(at(t));
  assert.deepEqual(
    buffer.flush().map(({ timestamp }) => timestamp),
    [4n, 11n, 12n],
  );
  assert.deepEqual(buffer.counts, { samples: 6, duplicates: 1, late: 1, dropped: 0 });
});

test("HUB-58 at most 10,000 wait: the oldest go and are counted, and memory does not grow", () => {
  const buffer = new ImuBuffer();
  for (let t = 0n; t < 35_000n; t++) buffer.push(at(t));
  assert.equal(buffer.waiting, 10_000);
  const samples = buffer.flush();
  assert.equal(samples.length, 10_000);
  assert.equal(samples[0]!.timestamp, 25_000n);
  assert.equal(samples.at(-1)!.timestamp, 34_999n);
  assert.deepEqual(buffer.counts, { samples: 35_000, duplicates: 0, late: 0, dropped: 25_000 });
});
