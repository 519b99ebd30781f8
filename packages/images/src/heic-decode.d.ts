declare module "heic-decode" {
  /** Applies the container's rotation and mirroring. */
  export default function decode(options: {
    buffer: Uint8Array;
  }): Promise<{ width: number; height: number; data: Uint8ClampedArray }>;
}
