/** Where nodes of a glTF scene lie: matrices of 16, column-major. */
import { type Json, numbers } from "./gltf-json.ts";

export const IDENTITY: readonly number[] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

export function localMatrix(node: Json): number[] {
  if (node.matrix !== undefined) return numbers(node.matrix, 16, "matrix");
  const [tx, ty, tz] = numbers(node.translation ?? [0, 0, 0], 3, "translation") as [number, number, number];
  const [x, y, z, w] = numbers(node.rotation ?? [0, 0, 0, 1], 4, "rotation") as [number, number, number, number];
  const [sx, sy, sz] = numbers(node.scale ?? [1, 1, 1], 3, "scale") as [number, number, number];
  return [
    [sx * (1 - 2 * (y * y + z * z)), sx * 2 * (x * y + z * w), sx * 2 * (x * z - y * w), 0],
    [sy * 2 * (x * y - z * w), sy * (1 - 2 * (x * x + z * z)), sy * 2 * (y * z + x * w), 0],
    [sz * 2 * (x * z + y * w), sz * 2 * (y * z - x * w), sz * (1 - 2 * (x * x + y * y)), 0],
    [tx, ty, tz, 1],
  ].flat();
}

export function multiply(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: 16 }, (_, at) => {
    const [row, column] = [at % 4, at - (at % 4)];
    return [0, 1, 2, 3].reduce((sum, k) => sum + a[4 * k + row]! * b[column + k]!, 0);
  });
}
