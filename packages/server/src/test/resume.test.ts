/**
 * The whole server, with the real engine, killed at chosen moments while photos stream in. What the log says at the
 * end must be what it would say without the kills: nothing lost, nothing done twice.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  applyEvent,
  type CairnEvent,
  canonicalState,
  emptyState,
  type ImageReceipt,
  type SpaceState,
} from "@cairn/protocol";
import { smallPhoto } from "@cairn/sample/small-photo";
import { RawClient } from "./live-door.ts";
import { startProcess } from "./start-process.ts";

const PHOTOS = ["01", "02", "03", "04", "05", "06", "07"];
const REBUILD_EVERY = 3;

/** The next one is uploaded while at most this many wait for their verdict: every kill meets photos at every stage. */
const AHEAD = 2;

type Log = { events: CairnEvent[]; state: SpaceState };

/** Each kill waits for its moment among the events that this life of the server has added. */
const KILLS: readonly { when: string; now: (event: CairnEvent, log: Log) => boolean }[] = [
  { when: "the second photo has begun", now: (event, { state }) => begun(event, "reconstruct") && judged(state) === 1 },
  { when: "the first points are there", now: (event) => event.type === "segments.added" },
  { when: "the first rebuild has begun", now: (event) => begun(event, "rebuild") },
  { when: "a rebuild is published", now: (event) => event.type === "generation.published" && event.data.refined > 0 },
  { when: "the last photo has begun", now: (event, { state }) => begun(event, "reconstruct") && judged(state) === 6 },
];

function begun(event: CairnEvent, kind: string): boolean {
  return event.type === "operation.started" && event.data.kind === kind;
}

function judged(state: SpaceState): number {
  return Object.values(state.images).filter(({ verdict }) => verdict).length;
}

function settled({ state }: Log): boolean {
  const refined = state.generations[state.generation]?.published?.refined;
  return refined === PHOTOS.length && Object.values(state.operations).every(({ status }) => status !== "running");
}

test("HTTP-25 REC-2 REC-4 REC-6 GEN-44 kills during the real reconstruction: each photo is judged once, each generation opened once", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-resume-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const acknowledged = new Map<string, ImageReceipt>();
  const pending = [...PHOTOS];

  for (const kill of [...KILLS, undefined]) {
    const { child, url } = await startProcess(dataDir, { reconstruct: "sparse" });
    t.after(() => child.kill("SIGKILL"));
    const space = `${url}/v1/spaces/place`;
    if (kill === KILLS[0]) await create(url);
    const { head } = (await (await fetch(`${space}/events?limit=1`)).json()) as { head: number };
    const log: Log = { events: [], state: emptyState() };
    const ended = once(child, "exit");
    const uploads = new Set<Promise<void>>();
    const upload = async (name: string) => {
      try {
        const response = await fetch(`${space}/images?key=${name}&name=${name}.jpg`, {
          method: "POST",
          headers: { "content-type": "image/jpeg" },
          body: new Uint8Array(await smallPhoto(`${name}.jpg`)),
        });
        const receipt = (await response.json()) as ImageReceipt;
        assert.ok(response.ok, JSON.stringify(receipt));
        acknowledged.set(name, receipt);
      } catch (error) {
        if (!child.killed) throw error;
        pending.unshift(name); // not acknowledged: it is sent again, under the same key
      }
    };
    const feed = () => {
      const waiting = Object.keys(log.state.images).length - judged(log.state);
      while (pending.length > 0 && waiting + uploads.size < AHEAD) {
        const sent = upload(pending.shift()!).finally(() => uploads.delete(sent));
        uploads.add(sent);
      }
    };

    let came = false;
    for await (const event of follow(space)) {
      log.events.push(event);
      applyEvent(log.state, event);
      if (event.seq < head) continue;
      came = kill ? event.seq > head && kill.now(event, log) : settled(log);
      if (came) break;
      feed();
    }
    assert.ok(came, `the moment came: ${kill?.when ?? "everything is refined"}`);
    if (!kill) await checkOutcome(url, log, acknowledged);
    child.kill("SIGKILL");
    await Promise.all(uploads);
    await ended;
  }
});

async function create(url: string): Promise<void> {
  const made = await fetch(`${url}/v1/spaces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: "place", settings: { rebuildEvery: REBUILD_EVERY } }),
  });
  assert.equal(made.status, 201, await made.text());
}

async function checkOutcome(url: string, log: Log, acknowledged: ReadonlyMap<string, ImageReceipt>): Promise<void> {
  const { events, state } = log;
  const of = <T extends CairnEvent["type"]>(type: T) =>
    events.filter((event): event is Extract<CairnEvent, { type: T }> => event.type === type);
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, i) => i + 1),
  );

  const added = of("image.added");
  assert.deepEqual(added.map(({ data }) => data.key).sort(), PHOTOS, "every photo once");
  for (const { seq, data } of added) {
    const receipt = acknowledged.get(data.key!);
    assert.deepEqual([receipt?.image, receipt?.seq, receipt?.blob], [data.image, seq, data.blob]);
  }

  // What a photo led to is one append, ended by its operation: as many of these as photos, and each with its verdict.
  const done = of("operation.completed").flatMap(({ data }) => (data.result?.image ? [data.result.image] : []));
  assert.deepEqual(done.sort(), added.map(({ data }) => data.image).sort(), "every photo was done once");
  for (const { seq, data } of added) {
    const first = of("image.judged").find((event) => event.data.image === data.image);
    assert.ok(first !== undefined && first.seq > seq, `photo ${data.key} has a verdict`);
    assert.equal(state.images[data.image]?.verdict?.verdict, "registered", `photo ${data.key} at the end`);
  }
  // An operation has one end, whether the server saw to it or the one after the kill, begun or still in the queue.
  const ends = events.flatMap((event) =>
    event.type === "operation.completed" || event.type === "operation.failed" || event.type === "operation.cancelled"
      ? [event.data.operation]
      : [],
  );
  assert.deepEqual(
    ends.sort(),
    of("operation.queued")
      .map(({ data }) => data.operation)
      .sort(),
  );

  const generations = of("generation.started").map(({ data }) => data.generation);
  assert.deepEqual(
    generations,
    generations.map((_, i) => i + 1),
    "each generation is opened once",
  );
  const published = of("generation.published").map(({ data }) => data);
  assert.deepEqual(
    published.map(({ generation }) => generation),
    generations,
  );
  const refined = published.map((each) => each.refined);
  for (const due of [3, 6]) assert.ok(refined.includes(due), `refined after ${due} photos, kill or not`);
  // Photos differ between two rebuilds: none was repeated after a kill, because the replay led to the same model.
  assert.ok(
    refined.every((count, i) => i === 0 || count > refined[i - 1]!),
    `refined after ${refined.join(", ")} photos`,
  );

  const last = published.at(-1)!;
  const posed = of("camera.posed").filter(({ data }) => data.generation === last.generation);
  assert.deepEqual(posed.map(({ data }) => data.image).sort(), added.map(({ data }) => data.image).sort());
  const segments = of("segments.added").filter(({ data }) => state.layers[data.layer]?.generation === last.generation);
  assert.deepEqual(
    segments.map(({ data }) => data.pack),
    segments.map((_, i) => i),
  );
  assert.equal(
    segments.reduce((sum, { data }) => sum + data.points, 0),
    last.points,
  );
  for (const { data } of segments) {
    const { headers } = await fetch(`${url}/v1/blobs/${data.blob}`, { method: "HEAD" });
    assert.equal(Number(headers.get("content-length")), data.sizeBytes);
  }

  // Who joins only now has the same state as who read every event.
  const late = await RawClient.open(`${url.replace("http", "ws")}/v1/spaces/place/live`, {});
  const snapshot = await late.until((client) => client.of("snapshot")[0]);
  late.ws.close();
  for (const event of events.slice(snapshot.seq)) applyEvent(snapshot.state, event);
  assert.equal(canonicalState(snapshot.state), canonicalState(state));
}

/** The log from its first event on, over Server-Sent Events, until the server dies or nobody wants more. */
async function* follow(space: string): AsyncGenerator<CairnEvent> {
  const stop = new AbortController();
  const tooLong = setTimeout(() => stop.abort(new Error("nothing more came")), 600_000);
  try {
    const response = await fetch(`${space}/events/stream?after=0`, { signal: stop.signal });
    let text = "";
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const whole = text.split("\n\n");
      text = whole.pop()!;
      for (const message of whole) {
        const data = /^data: (.*)$/m.exec(message)?.[1];
        if (data !== undefined) yield JSON.parse(data) as CairnEvent;
      }
    }
  } finally {
    clearTimeout(tooLong);
    stop.abort();
  }
}
