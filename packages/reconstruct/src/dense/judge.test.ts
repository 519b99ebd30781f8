import assert from "node:assert/strict";
import { test } from "node:test";
import { boxView, boxViews, spoiled } from "../test/boxes.ts";
import type { PosedDepth } from "./contract.ts";
import { BITS, judge } from "./judge.ts";
import { keepConsistent } from "./keep.ts";
import { MOST_WITNESSES, witnessesOf } from "./witnesses.ts";

const share = (flags: ArrayLike<number>, of: ArrayLike<number>): number => {
  let [met, all] = [0, 0];
  for (let at = 0; at < of.length; at++) {
    if (!of[at]) continue;
    all++;
    if (flags[at]) met++;
  }
  return met / all;
};

/** With every depth of one view multiplied. */
function stretched({ view, depth }: PosedDepth, factor: number): PosedDepth {
  return { view, depth: { ...depth, depths: depth.depths.map((z) => z * factor) } };
}

test("exact views agree wherever they see the same surface, and none speaks against", () => {
  const views = boxViews(3, { spanRad: 0.4 });
  const { agree, against } = judge(views, 1, [0, 2]);
  assert.ok(share(agree, views[1].depth.depths) > 0.9);
  assert.ok(share(against, views[1].depth.depths) < 0.001);
  for (const bits of agree) assert.ok(bits <= 3 && BITS[bits] <= 2);
});

test("what floats before the surface is spoken against, what lies behind it is not", () => {
  const views = boxViews(3, { spanRad: 0.4 });
  const { depths } = views[1].depth;
  const before = judge(views.with(1, stretched(views[1], 0.7)), 1, [0, 2]);
  assert.ok(share(before.against, depths) > 0.8, `${share(before.against, depths)}`);
  assert.ok(share(before.agree, depths) < 0.1);
  const behind = judge(views.with(1, stretched(views[1], 1.3)), 1, [0, 2]);
  assert.ok(share(behind.against, depths) < 0.1, `${share(behind.against, depths)}`);
});

test("a witness that is not sure does not speak against", () => {
  const views = boxViews(2, { spanRad: 0.2 }).map(
    ({ view, depth }): PosedDepth => ({
      view,
      depth: { ...depth, confidences: depth.confidences.map(() => 20) },
    }),
  );
  const { against } = judge(views.with(0, stretched(views[0], 0.7)), 0, [1]);
  assert.equal(against.indexOf(1), -1);
});

test("a surface seen from behind does not agree", () => {
  const views = boxViews(2, { spanRad: 0.2 });
  const turned = { ...views[1].depth, normals: views[1].depth.normals.map((each) => -each) };
  const { agree } = judge([views[0], { view: views[1].view, depth: turned }], 0, [1]);
  assert.ok(share(agree, views[0].depth.depths) < 0.01);
});

test("more views than are asked for bear a pixel out, two sure ones where only two look; specks go", () => {
  const views = spoiled(boxViews(4, { spanRad: 0.4 }), { seed: 2, wrong: 0.05 });
  const kept = keepConsistent(views[1].depth, judge(views, 1, [0, 2, 3]));
  assert.ok(share(kept, views[1].depth.depths) > 0.8);
  const pair = judge(views, 1, [2]);
  assert.ok(share(keepConsistent(views[1].depth, pair), views[1].depth.depths) > 0.7);
  const unsure = { ...views[1].depth, confidences: views[1].depth.confidences.map(() => 90) };
  assert.equal(keepConsistent(unsure, pair).indexOf(1), -1);
  const speck = { ...views[1].depth, depths: new Float32Array(views[1].depth.depths.length) };
  speck.depths[5000] = 3;
  const all = new Uint8Array(speck.depths.length).fill(1);
  const one = keepConsistent(speck, {
    witnesses: [0, 2],
    agree: all.map((_, at) => (speck.depths[at] > 0 ? 3 : 0)),
    against: new Uint8Array(all.length),
  });
  assert.equal(one.indexOf(1), -1);
});

test("witnesses look at the same place from another: at most eight, the best first", () => {
  const ring = boxViews(14, { spanRad: 1.2, widthPx: 60 });
  const same = { ...ring[6], view: { ...ring[6].view, view: 99 } };
  const away = boxView(98, [0, -0.5, -4], [0, -3, -20], 60, 42);
  const views = [...ring, same, away];
  const witnesses = witnessesOf(views, 6);
  assert.equal(witnesses.length, MOST_WITNESSES);
  assert.ok(!witnesses.includes(6) && !witnesses.includes(14) && !witnesses.includes(15), `${witnesses}`);
  assert.throws(() => judge(views, 0, [1, 2, 3, 4, 5, 6, 7, 8, 9]), RangeError);
});
