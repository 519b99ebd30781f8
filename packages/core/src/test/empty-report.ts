/** What an engine of a test has to report: its photos, and nothing of a model. */
import type { EngineReport } from "@cairn/protocol";

export function emptyReport(images: readonly string[]): EngineReport {
  return {
    photos: images.map((image, k) => ({ image, name: `${k}.jpg`, verdict: "registered" })),
    points: 0,
    reprojection: { meanPx: 0, medianPx: 0, histogramPx: { bin: 0.25, counts: [] } },
    tracks: { meanViews: 0, counts: [] },
    graph: { edges: [], components: [], weakLinks: [] },
    lenses: [],
    doubts: [],
    coverage: { patch: 0, patches: 0, bySpreadViews: [], weakest: [] },
  };
}
