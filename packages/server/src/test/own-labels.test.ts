/** What a face knows a space by is nobody else's to write: attacks by labels, over HTTP. Rule BLOB-9. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Labels, SpaceSummary } from "@cairn/protocol";
import { place, sizedCube } from "./mesh-fixtures.ts";
import { errorOf, testServer } from "./test-server.ts";

const OPTIONS = { token: "boss-boss-boss-boss", tokens: [{ token: "guest-guest-guest", role: "operate" }] } as const;
const GUEST = { authorization: `Bearer ${OPTIONS.tokens[0].token}` };

/** A server, and whoever may operate it but delete nothing. */
async function operated(t: Parameters<typeof testServer>[0]) {
  const server = await testServer(t, OPTIONS);
  const labelled = (labels: Labels) => [
    () => server.send("POST", "/v1/spaces", JSON.stringify({ id: "trap", labels }), GUEST),
    () => server.send("PATCH", "/v1/spaces/place", JSON.stringify({ labels }), GUEST),
  ];
  return { server, labelled };
}

test("BLOB-9 every label that a face trusts is refused, and what only looks like one is not", async (t) => {
  const { labelled } = await operated(t);
  const own = ["meshes", "mesh_folders", "hub", "heritage", "imagetools", "imagetools.user", "depth.status", "hub.\n"];
  for (const name of own) {
    for (const attempt of labelled({ note: 1, [name]: true })) {
      const { status, code, facts } = await errorOf(await attempt());
      assert.deepEqual([status, code, facts], [400, "space.label_reserved", { label: name }]);
    }
  }
  const free = { "my.hub": true, hubs: 1, meshes2: "a", mesh_folders_of: "b", Depth: 3, heritage_site: "Kourion" };
  for (const attempt of labelled(free)) assert.ok((await attempt()).ok);
});

test("BLOB-9 MSH-1 no space of somebody else's gets the designs of the mesh folder after a restart", async (t) => {
  const { server, labelled } = await operated(t);
  for (const attempt of labelled({ meshes: true })) await attempt();
  await server.close();
  await place(join(server.dataDir, "meshes", "current"), "a.stl", sizedCube(1));
  await server.restart();
  const { spaces } = (await (await server.send("GET", "/v1/spaces")).json()) as { spaces: SpaceSummary[] };
  assert.equal(spaces.find(({ labels }) => labels?.meshes === true)?.id, "mesh-designs");
  const told = await server.events("mesh-designs");
  assert.ok(told.some(({ type }) => type === "design.published"));
  for (const { id } of spaces.filter(({ id }) => id !== "mesh-designs")) {
    assert.ok(
      (await server.events(id)).every(({ type }) => !type.startsWith("design.")),
      id,
    );
  }
});

test("BLOB-9 GEN-35 who may not delete a space does not delete it as a session", async (t) => {
  const { server, labelled } = await operated(t);
  assert.equal((await server.send("DELETE", "/v1/spaces/place", null, GUEST)).status, 403);
  for (const attempt of labelled({ imagetools: true })) await attempt();
  assert.equal((await server.send("DELETE", "/api/v1/sessions/place", null, GUEST)).status, 403);
  assert.equal((await server.send("GET", "/v1/spaces/place")).status, 200);
});
