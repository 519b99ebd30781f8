/** Poses as clients of the hub read them. */
import type { Pose } from "@cairn/protocol";

/** Camera→model as four rows, the camera's centre in the last column (HUB-37). The camera looks along its z, y down. */
export function cameraMatrix({ rotation: [w, x, y, z], translation }: Pose): number[][] {
  // The quaternion turns model→camera; the rows here are the columns of its matrix.
  const rows = [
    [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
    [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
    [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
  ];
  const matrix = rows.map((row) => {
    const centre = -(row[0]! * translation[0] + row[1]! * translation[1] + row[2]! * translation[2]);
    return [...row, centre === 0 ? 0 : centre];
  });
  return [...matrix, [0, 0, 0, 1]];
}
