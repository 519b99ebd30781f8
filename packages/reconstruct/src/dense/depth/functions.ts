/** What `wasm/depth.as.ts` exports; its parts say what the arguments are. */
export type DepthFunctions = {
  grey(rgb: number, to: number, width: number, height: number, stride: number): void;
  halve(from: number, width: number, height: number, stride: number, to: number, toStride: number): void;
  packQuads(from: number, width: number, height: number, stride: number, to: number): void;
  windowSums(
    photo: number,
    sums: number,
    scales: number,
    width: number,
    height: number,
    stride: number,
    radius: number,
    noise: number,
  ): void;
  sweepPlane(
    photo: number,
    sums: number,
    scales: number,
    width: number,
    height: number,
    stride: number,
    radius: number,
    noise: number,
    sources: number,
    count: number,
    best: number,
    volume: number,
    planes: number,
    plane: number,
    scratch: number,
  ): void;
  aggregateBytes(width: number, planes: number): number;
  aggregate(
    volume: number,
    quads: number,
    width: number,
    height: number,
    stride: number,
    planes: number,
    small: number,
    large: number,
    sums: number,
    scratch: number,
  ): void;
  winners(
    sums: number,
    width: number,
    height: number,
    stride: number,
    planes: number,
    first: number,
    step: number,
    inverse: number,
  ): void;
  fitPlanes(field: number, width: number, height: number, stride: number, perPixel: number): void;
  setPatch(
    quads: number,
    width: number,
    height: number,
    stride: number,
    radius: number,
    samples: number,
    table: number,
    alikeBy: number,
    noise: number,
    scratch: number,
  ): void;
  setSources(table: number, count: number, best: number): void;
  evaluate(x: number, y: number, inverse: number, across: number, down: number, mask: number): number;
  setCandidates(
    from: number,
    fromWidth: number,
    fromHeight: number,
    fromStride: number,
    half: number,
    around: number,
    count: number,
    to: number,
    toWidth: number,
    toHeight: number,
    toStride: number,
  ): void;
  refineRows(
    fromY: number,
    toY: number,
    mask: number,
    far: number,
    near: number,
    alike: number,
    step: number,
    stepPx: number,
    trust: number,
    least: number,
    settled: number,
    inherit: number,
  ): void;
};
