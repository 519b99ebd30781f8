/** What known clients say and hear, in order. */
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { MeshUser, meshServer, place, sizedCube } from "../../test/mesh-fixtures.ts";
import { assertMatches, play, type Transcript } from "../transcript.ts";

const FOLDER = new URL("../../../src/faces/meshes/transcripts/", import.meta.url);

async function transcript(name: string): Promise<Transcript> {
  return JSON.parse(await readFile(new URL(`${name}.json`, FOLDER), "utf8")) as Transcript;
}

test("MSH-10..MSH-14 MSH-17 MSH-21 a viewer's dialogue, then that of a page that comes back", async (t) => {
  const { server, dir } = await meshServer(t);
  const acts = {
    "write a cube": () => place(dir, "bracket_001.stl", sizedCube(1)),
    "write a larger cube": () => place(dir, "bracket_001.stl", sizedCube(2)),
    "remove it": () => rm(join(dir, "bracket_001.stl")),
  };
  for (const name of ["viewer", "returning"]) {
    const recorded = await transcript(name);
    const query = recorded.path.slice("/ws/meshes".length);
    const user = new MeshUser(server.port, query);
    let heard = 0;
    const next = async () => (await user.until(() => true, ++heard))[heard - 1];
    await play(recorded, { send: (text) => user.tell(text), next }, acts);
    assert.equal(user.heard.length, heard);
    user.ws.close();
    await user.closed;
  }
  assert.throws(() => assertMatches({ seq: 1.5 }, { seq: "<int>" }), /message.seq/);
});
