/** What somebody asks of a reconstruction is answered, whatever becomes of its space. Rules: docs/spec/reconstruct.md. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSegmentFile } from "../log/segment.ts";
import { add, allJudged, CountingEngine, until, worlds } from "../test/counting-engine.ts";

const { folder, start } = worlds();

/** An engine that takes until it is told so to be closed. */
class SlowEngine extends CountingEngine {
  closed: Promise<void> | undefined;

  override async close(): Promise<void> {
    await this.closed;
  }
}

describe("asking for a rebuild", () => {
  for (const end of ["its space is deleted", "the server stops"] as const) {
    test(`REC-10 it is refused when ${end} before it begins`, async () => {
      const { core, reconstructor, engines } = await start(await folder());
      const space = await core.spaces.create({ id: "a" });
      await add(core, space, 2);
      await until(space, allJudged(2));
      let goOn = () => {};
      engines[0]!.placed = new Promise((resolve) => {
        goOn = resolve;
      });
      await add(core, space, 1);
      await until(space, (at) => Object.values(at.operations).some(({ status }) => status === "running"));
      const code = end === "the server stops" ? "server.stopping" : "space.closed";
      const refused = assert.rejects(reconstructor.rebuild("a"), { code });
      const ended = end === "the server stops" ? reconstructor.close() : core.spaces.delete("a");
      goOn();
      await Promise.all([refused, ended]);
    });
  }

  test("REC-9 it is refused when the disk does not take it", async () => {
    let full = false;
    const { core, reconstructor } = await start(await folder(), undefined, undefined, {
      openSegment: async (path) => {
        const file = await openSegmentFile(path);
        const write = (bytes: Uint8Array, offset: number) =>
          full ? Promise.reject(Object.assign(new Error(), { code: "ENOSPC" })) : file.write(bytes, offset);
        return { ...file, write };
      },
    });
    const space = await core.spaces.create({ id: "a", settings: { rebuildWhenIdle: false } });
    await add(core, space, 2);
    await until(space, allJudged(2));
    full = true;
    await assert.rejects(reconstructor.rebuild("a"), { code: "store.full" });
    full = false;
    const operation = await reconstructor.rebuild("a");
    await until(space, (at) => at.operations[operation]?.status === "completed");
  });
});

test("REC-10 a space that is made again under the same name has its reconstruction while the old engine still closes", async () => {
  const made: SlowEngine[] = [];
  const { core } = await start(await folder(), () => {
    const engine = new SlowEngine();
    made.push(engine);
    return engine;
  });
  const old = await core.spaces.create({ id: "a" });
  await add(core, old, 2);
  await until(old, allJudged(2));
  let closed = () => {};
  made[0]!.closed = new Promise((resolve) => {
    closed = resolve;
  });
  await core.spaces.delete("a");
  const fresh = await core.spaces.create({ id: "a" });
  await add(core, fresh, 2);
  await until(fresh, allJudged(2));
  closed();
  assert.equal(made.length, 2);
});
