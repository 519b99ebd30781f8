import assert from "node:assert/strict";
import { test } from "node:test";
import { centreOf, emptyState, type Georeference, type LayerState, type Pose, type Vec3 } from "@cairn/protocol";
import fc from "fast-check";
import { centre, fitView, foreground, isLike, radius, robustBounds, viewDirection } from "./framing.ts";
import { heightUnits } from "./height.ts";
import { Orbit } from "./orbit.ts";
import { insidePolygon } from "./pick.ts";
import { pointSpacing } from "./point-spacing.ts";
import { random } from "./test/space.ts";
import { estimateUp, upOf } from "./up.ts";

type Quaternion = Pose["rotation"];
const multiply = ([a, b, c, d]: Quaternion, [e, f, g, h]: Quaternion): Quaternion => [
  a * e - b * f - c * g - d * h,
  a * f + b * e + c * h - d * g,
  a * g - b * h + c * e + d * f,
  a * h + b * g - c * f + d * e,
];
const about = (axis: Vec3, angle: number): Quaternion => {
  const s = Math.sin(angle / 2);
  return [Math.cos(angle / 2), axis[0] * s, axis[1] * s, axis[2] * s];
};
/** Camera that stands level in a world whose y axis points down, turned by `yaw`, then tilted down by `pitch`. */
const level = (yaw: number, pitch: number, roll = 0): Quaternion =>
  multiply(about([0, 0, 1], roll), multiply(about([1, 0, 0], pitch), about([0, 1, 0], yaw)));
const angleTo = (a: Vec3, b: Vec3) => (Math.acos(Math.min(1, a[0] * b[0] + a[1] * b[1] + a[2] * b[2])) * 180) / Math.PI;

test("up is found from a ring of cameras that all look down, in any frame", () => {
  fc.assert(
    fc.property(fc.double({ min: -3, max: 3, noNaN: true }), fc.double({ min: -3, max: 3, noNaN: true }), (a, b) => {
      const frame = multiply(about([1, 0, 0], a), about([0, 0, 1], b)); // world' ← world
      const inverse: Quaternion = [frame[0], -frame[1], -frame[2], -frame[3]];
      const poses = Array.from({ length: 12 }, (_, i): Pose => {
        const rotation = multiply(level((i * Math.PI) / 6, 0.5, 0.05 * Math.sin(i * 5)), inverse);
        return { rotation, translation: [0, 0, 0] };
      });
      // Up of the unturned world is −y.
      const [w, x, y, z] = multiply(multiply(frame, [0, 0, -1, 0]), inverse);
      assert.ok(Math.abs(w) < 1e-9);
      assert.ok(angleTo(estimateUp(poses), [x, y, z]) < 4);
    }),
    { seed: 3, numRuns: 50 },
  );
});

test("cameras side by side that look down half a right angle leave up within that tilt, and one is enough", () => {
  const poses = [-0.3, -0.1, 0.1, 0.3].map((yaw): Pose => ({ rotation: level(yaw, 0.3), translation: [0, 0, 0] }));
  assert.ok(angleTo(estimateUp(poses), [0, -1, 0]) < 18);
  assert.ok(angleTo(estimateUp([{ rotation: [1, 0, 0, 0], translation: [0, 0, 0] }]), [0, -1, 0]) < 1e-3);
  assert.deepEqual(estimateUp([]), [0, -1, 0]);
});

test("up is the earth's where the model lies on it, else the photos', else z; heights are metres, or the cloud's own", () => {
  const turn = about([1, 0, 0], Math.PI / 2); // the model's −y is up … of an east-north-up frame
  const georeference: Georeference = {
    ...{ latitudeDeg: 48, longitudeDeg: 9, altitudeM: 300, residualM: 1 },
    enuFromModel: { scale: 2.5, rotation: turn, translation: [10, 20, 30] },
  };
  const pose: Pose = { rotation: level(0.3, 0), translation: [0, 0, 0] };
  const close = (a: Vec3, b: Vec3) => assert.ok(angleTo(a, b) < 0.01, `${a}`);
  close(upOf([pose], georeference), [0, 1, 0]);
  close(upOf([pose], undefined), [0, -1, 0]);
  close(upOf([], undefined), [0, 0, 1]);

  const state = emptyState();
  state.layers[1] = { layer: 1, kind: "import" } as LayerState;
  // A cloud surveyed at 120 m: the scene's lowest is 5 below its origin.
  assert.deepEqual(heightUnits(state, -5, [7, 8, 120], [0, 0, 1]), { zero: 120, scale: 1, unit: "" });
  state.generation = 1;
  state.generations[1] = { generation: 1, cameras: {}, layers: [] };
  const published = { generation: 1, cameras: 0, points: 0, refined: 0, seq: 1, georeference };
  state.generations[1].published = published;
  assert.deepEqual(heightUnits(state, -5, [7, 8, 120], [0, 0, 1]), { zero: 12.5, scale: 2.5, unit: "m" });
});

test("framing that would hardly change the view is left", () => {
  const view = { target: [0, 0, 0] as Vec3, distance: 10, azimuth: 3.1, elevation: 0.3 };
  assert.equal(isLike(view, { ...view, target: [0.1, 0, 0.1], azimuth: 3.11 - 2 * Math.PI, distance: 10.1 }), true);
  for (const other of [{ distance: 11 }, { azimuth: 3 }, { elevation: 0.4 }, { target: [0, 1, 0] as Vec3 }]) {
    assert.equal(isLike(view, { ...view, ...other }), false);
  }
});

test("a camera's centre is where its pose maps to 0", () => {
  const centre = centreOf({ rotation: about([0, 1, 0], Math.PI / 2), translation: [1, 2, 3] });
  // Turning by 90° about y takes x to −z and z to x: x_cam = (z, y, −x) + t.
  assert.deepEqual(
    centre.map((value) => Math.round(value * 1e9) / 1e9),
    [3, -2, -1],
  );
});

test("stray points do not move the frame, cameras always lie in it", () => {
  const next = random(1);
  const positions = Float32Array.from({ length: 3000 }, () => next() * 2 - 1);
  for (let i = 0; i < 20 * 3; i++) positions[i * 50] = 1e5 * (next() - 0.5);
  const bounds = robustBounds(positions, 1000, [[0, 5, 0]])!;
  assert.ok(radius(bounds) < 5, `${radius(bounds)}`);
  assert.equal(bounds.max[1], 5);
  assert.equal(robustBounds(positions, 0, []), undefined);
});

test("what is in the picture at both ends of a glide is in it on the way, and a point that is zoomed to stays where it is", () => {
  for (const [from, to] of [
    [4000, 10],
    [10, 4000],
    [10, 10],
  ] as const) {
    const orbit = new Orbit();
    const ahead = { azimuth: 0, elevation: 0 };
    orbit.glideTo({ target: [0.4 * from, 0.1 * from, 0], distance: from, ...ahead }, true);
    orbit.glideTo({ target: [0, 0, 0], distance: to, ...ahead });
    // The scene's middle, to the side, as a part of the distance to it.
    const aside = () => Math.hypot(orbit.view.target[0], orbit.view.target[1]) / orbit.view.distance;
    let last = aside();
    let steps = 0;
    for (; orbit.step(16); steps++) {
      assert.ok(aside() <= last + 1e-9, `${from}→${to}: ${aside()} after ${last}`);
      last = aside();
    }
    assert.ok(steps < 1000);
    assert.deepEqual(orbit.view.target, [0, 0, 0]);
  }
  const orbit = new Orbit();
  orbit.glideTo({ target: [0, 0, 0], distance: 10, azimuth: 0, elevation: 0 }, true);
  orbit.zoom(0.01, [3, -2, 0]);
  do {
    const { target, distance } = orbit.view;
    assert.ok(Math.abs((3 - target[0]) / distance - 0.3) < 1e-6);
    assert.ok(Math.abs((-2 - target[1]) / distance + 0.2) < 1e-6);
  } while (orbit.step(16));
});

test("every corner of the framed box is in the picture, and the box fills it", () => {
  const coordinate = fc.double({ min: -50, max: 50, noNaN: true });
  const triple = fc.tuple(coordinate, coordinate, coordinate);
  fc.assert(
    fc.property(
      triple,
      triple,
      fc.double({ min: -3, max: 3, noNaN: true }),
      fc.double({ min: 0.3, max: 3, noNaN: true }),
      (a, b, azimuth, aspect) => {
        const bounds = {
          min: a.map((v, k) => Math.min(v, b[k]!)) as Vec3,
          max: a.map((v, k) => Math.max(v, b[k]!) + 0.1) as Vec3,
        };
        const fov = 0.9;
        const corners = Array.from({ length: 8 }, (_, corner) => {
          return [0, 1, 2].map((k) => (corner & (1 << k) ? bounds.max[k]! : bounds.min[k]!)) as Vec3;
        });
        const direction = { azimuth, elevation: 0.4 };
        const view = fitView(centre(bounds), new Float32Array(0), 0, corners, direction, fov, aspect, 1);
        const orbit = new Orbit();
        orbit.glideTo(view, true);
        const eye = orbit.position;
        const forward = view.target.map((v, k) => (v - eye[k]!) / view.distance) as Vec3;
        const right: Vec3 = [Math.cos(azimuth), 0, -Math.sin(azimuth)];
        const up: Vec3 = [
          right[1] * forward[2] - right[2] * forward[1],
          right[2] * forward[0] - right[0] * forward[2],
          right[0] * forward[1] - right[1] * forward[0],
        ];
        const dot = (p: Vec3, q: Vec3) => p[0] * q[0] + p[1] * q[1] + p[2] * q[2];
        let reach = 0;
        for (let corner = 0; corner < 8; corner++) {
          const at = [0, 1, 2].map((k) => (corner & (1 << k) ? bounds.max[k]! : bounds.min[k]!) - eye[k]!) as Vec3;
          const depth = dot(at, forward);
          assert.ok(depth > 0, "behind the eye");
          reach = Math.max(reach, Math.abs(dot(at, up)) / depth / Math.tan(fov / 2));
          reach = Math.max(reach, Math.abs(dot(at, right)) / depth / Math.tan(fov / 2) / aspect);
        }
        assert.ok(reach <= 1 + 1e-9 && reach > 0.99, `${reach}`);
      },
    ),
    { seed: 5, numRuns: 100 },
  );
});

test("a few points far off do not push the eye away", () => {
  const next = random(2);
  const positions = Float32Array.from({ length: 3000 }, () => next() * 2 - 1);
  const direction = { azimuth: 0.3, elevation: 0.3 };
  const near = fitView([0, 0, 0], positions, 1000, [], direction, 0.9, 1.5).distance;
  for (let i = 0; i < 30; i++) positions.set([1e4 * (next() - 0.5), 1e4 * next(), 0], i * 90);
  const far = fitView([0, 0, 0], positions, 1000, [], direction, 0.9, 1.5).distance;
  assert.ok(far < near * 1.2, `${near} became ${far}`);
});

test("the first view is from the photographers' side, never from below", () => {
  const row: Vec3[] = [-1, 0, 1].map((x) => [x, -2, 6]);
  const side = viewDirection([0, 0, 0], row);
  assert.ok(Math.abs(side.azimuth) < 1e-9 && side.elevation > 0.2);
  const ring: Vec3[] = Array.from({ length: 8 }, (_, i) => [
    4 * Math.sin((i * Math.PI) / 4 + 1),
    1,
    4 * Math.cos((i * Math.PI) / 4 + 1),
  ]);
  assert.ok(Math.abs(viewDirection([0, 0, 0], ring).azimuth - 1) < 1e-9, "a ring has no side: from the first photo");
});

test("point spacing of a grid is its pitch, also when only part of it is looked at", () => {
  for (const side of [20, 160]) {
    const positions = Float32Array.from({ length: side * side * 3 }, (_, i) => {
      const point = Math.floor(i / 3);
      return [(point % side) * 0.1, Math.floor(point / side) * 0.1, 0][i % 3]!;
    });
    const found = pointSpacing(positions, side * side);
    assert.ok(found > 0.04 && found < 0.2, `${side}: ${found}`);
  }
  assert.equal(pointSpacing(new Float32Array(3), 1), 0);
  // On a line the fourth neighbour is two steps away; of three points the farthest stands for it.
  const line = Float32Array.from({ length: 90 }, (_, i) => (i % 3 === 0 ? i : 0));
  assert.deepEqual([pointSpacing(line, 30), pointSpacing(line, 30, 4), pointSpacing(line, 3, 4)], [3, 6, 6]);
});

test("zooming keeps what it points at in place, to the last step of the glide", () => {
  const orbit = new Orbit();
  orbit.glideTo({ target: [0, 0, 0], distance: 10, azimuth: 0, elevation: 0 }, true);
  orbit.zoom(0.5, [2, 0, 0]);
  for (let i = 0; i < 200 && orbit.step(16); i++);
  const { target, distance } = orbit.view;
  assert.ok(Math.abs(distance - 5) < 1e-9);
  assert.ok(Math.abs((2 - target[0]) / distance - 2 / 10) < 1e-9, "same angle off the axis");
});

test("a glide takes the short way round, ends, and gives way to a hand", () => {
  const orbit = new Orbit();
  orbit.glideTo({ target: [0, 0, 0], distance: 5, azimuth: 3.1, elevation: 0.2 }, true);
  orbit.glideTo({ target: [0, 0, 0], distance: 5, azimuth: -3.1, elevation: 0.2 });
  let steps = 0;
  while (orbit.step(16) && steps < 2000) {
    steps++;
    assert.ok(orbit.view.azimuth > 3, "went the long way");
  }
  assert.ok(steps > 5 && steps < 2000, `${steps} steps`);
  orbit.glideTo({ target: [9, 0, 0], distance: 5, azimuth: 3, elevation: 0.2 });
  orbit.step(100);
  const held = orbit.view.target[0];
  orbit.rotate(0.01, 0);
  for (let i = 0; i < 200 && orbit.step(16); i++);
  assert.equal(orbit.view.target[0], held);
});

test("reduced motion arrives at once", () => {
  const orbit = new Orbit();
  orbit.reducedMotion = true;
  orbit.glideTo({ target: [1, 2, 3], distance: 7, azimuth: 1, elevation: 0.3 });
  assert.equal(orbit.step(1), true);
  assert.deepEqual(orbit.view.target, [1, 2, 3]);
});

test("inside a polygon", () => {
  const square = [
    [0, 0],
    [4, 0],
    [4, 4],
    [0, 4],
  ] as const;
  assert.equal(insidePolygon(1, 3, square), true);
  assert.equal(insidePolygon(5, 3, square), false);
});

test("hills behind what was photographed are left out of the picture, and nothing where nobody took photos", () => {
  const near = Array.from({ length: 300 }, (_, i) => [Math.sin(i), Math.cos(2 * i), 4 + Math.sin(3 * i)]);
  const hills = Array.from({ length: 700 }, (_, i) => [30 * Math.sin(i), 5, 60 + (i % 7)]);
  const positions = Float32Array.from([...near, ...hills].flat());
  assert.equal(foreground(positions, 1000, [[0, 0, 0]]).length, 3 * 300);
  assert.equal(foreground(positions, 1000, []).length, 3 * 1000);
});
