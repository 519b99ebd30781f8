/** What the thread that looks into the files of designs is asked. */
import type { MeshFormat } from "@cairn/formats/design";
import type { MeshMeasure } from "@cairn/protocol";

export interface DesignJobs {
  /** @throws {CairnError} `design.unreadable` */
  measure(job: { bytes: Uint8Array; format: MeshFormat }): MeshMeasure;
  /** A PNG with transparent ground. @throws {CairnError} `design.unreadable` */
  picture(job: { bytes: Uint8Array; format: MeshFormat; sidePx: number }): Uint8Array<ArrayBuffer>;
}
