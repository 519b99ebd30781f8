/** The report of a space over HTTP and through the SDK, over a model that is in the log: docs/spec/report.md. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CairnApi } from "@cairn/client";
import { openCore } from "@cairn/core";
import { check, Report } from "@cairn/protocol";
import { testServer } from "./test-server.ts";

function reportOf(generation: number): Report {
  const photo = { image: randomUUID(), name: "a.jpg", verdict: "registered", matches: 3, reprojectionPx: 0.5 } as const;
  return check(Report, {
    generation,
    used: 1,
    photos: [photo],
    points: 12,
    reprojection: { meanPx: 0.5, medianPx: 0.4, histogramPx: { bin: 0.25, counts: [3, 4] } },
    tracks: { meanViews: 2, counts: [0, 0, 12] },
    graph: { edges: [], components: [], weakLinks: [] },
    lenses: [],
    doubts: [],
    coverage: { patch: 1, patches: 0, bySpreadViews: [0], weakest: [] },
  });
}

test("RPT-1 the newest report is served as it was made; before the first there is none, and the refusal says so", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-report-"));
  const core = await openCore({ dataDir });
  const space = await core.spaces.create({ id: "place" });
  await core.spaces.create({ id: "new" });
  for (const generation of [2, 3]) {
    const { digest, sizeBytes } = await core.blobs.put(Buffer.from(JSON.stringify(reportOf(generation))));
    await space.log.append([{ type: "report.made", data: { generation, blob: digest, sizeBytes } }]);
  }
  await core.close();
  const server = await testServer(t, { dataDir });
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const api = new CairnApi({ url: server.url });
  const report = check(Report, await api.report("place"));
  assert.deepEqual([report.generation, report.points, report.photos[0]?.name], [3, 12, "a.jpg"]);
  await assert.rejects(api.report("new"), { code: "report.missing" });
  assert.equal((await server.send("GET", "/v1/spaces/new/report")).status, 404);
  await assert.rejects(api.report("nowhere"), { code: "space.missing" });
});
