import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MatchEdge } from "@cairn/protocol";
import fc from "fast-check";
import { componentsOf, weakLinks } from "./match-graph.ts";

function edge(a: number, b: number): MatchEdge {
  return { a, b, matches: 100, inliers: 80, kind: "general", angleDeg: 5, agrees: true };
}

describe("the match graph (docs/spec/report.md)", () => {
  test("RPT-5 two rooms joined by one pair: that pair is the weak link, and the photo at a door of three", () => {
    //  0–1–2 all tied, 3–4–5 all tied, 2–3 the only way; 6 hangs on 5 alone.
    const rooms = [edge(0, 1), edge(1, 2), edge(0, 2), edge(3, 4), edge(4, 5), edge(3, 5), edge(2, 3), edge(5, 6)];
    assert.deepEqual(weakLinks(7, rooms), [
      { photos: [2, 3], parts: [4, 3] },
      { photos: [5, 6], parts: [6, 1] },
    ]);
    // A bow tie: two triangles share photo 2.
    const tie = [edge(0, 1), edge(1, 2), edge(0, 2), edge(2, 3), edge(3, 4), edge(2, 4)];
    assert.deepEqual(weakLinks(5, tie), [{ photos: [2], parts: [2, 2] }]);
    assert.deepEqual(weakLinks(3, rooms.slice(0, 3)), []);
  });

  test("RPT-5 a link is weak exactly when the graph without it has more pieces", () => {
    const graphs = fc.integer({ min: 2, max: 9 }).chain((n) =>
      fc.record({
        n: fc.constant(n),
        ties: fc.uniqueArray(
          fc.tuple(fc.nat(n - 1), fc.nat(n - 1)).filter(([a, b]) => a < b),
          {
            selector: ([a, b]) => a * n + b,
            maxLength: 14,
          },
        ),
      }),
    );
    fc.assert(
      fc.property(graphs, ({ n, ties }) => {
        const edges = ties.map(([a, b]) => edge(a, b));
        const found = weakLinks(n, edges);
        const pairs = found.filter(({ photos }) => photos.length === 2).map(({ photos }) => photos.join());
        const split = edges.filter(
          (each) =>
            pieces(n, edges) <
            pieces(
              n,
              edges.filter((e) => e !== each),
            ),
        );
        assert.deepEqual(pairs.sort(), split.map(({ a, b }) => `${a},${b}`).sort());
        for (const { photos, parts } of found) {
          if (photos.length === 2) continue;
          const without = edges.filter(({ a, b }) => a !== photos[0] && b !== photos[0]);
          // The photo itself is a piece of its own then.
          assert.ok(pieces(n, without) - 1 > pieces(n, edges));
          assert.ok(parts[0] >= 1 && parts[1] >= 1);
        }
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  test("a chain of thousands of photos does not end the stack", () => {
    const n = 5000;
    const chain = Array.from({ length: n - 1 }, (_, i) => edge(i, i + 1));
    assert.deepEqual(weakLinks(n, chain)[0], { photos: [2499, 2500], parts: [2500, 2500] });
    assert.equal(componentsOf(n, chain)[0].length, n);
  });
});

function pieces(n: number, edges: readonly MatchEdge[]): number {
  const groups = componentsOf(n, edges);
  return groups.length + n - groups.reduce((sum, group) => sum + group.length, 0);
}
