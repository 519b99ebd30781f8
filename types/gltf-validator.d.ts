declare module "gltf-validator" {
  export type Report = {
    issues: {
      numErrors: number;
      numWarnings: number;
      messages: { code: string; message: string; severity: number; pointer?: string }[];
    };
    info: { totalVertexCount: number };
  };
  export function validateBytes(
    data: Uint8Array,
    options?: { maxIssues?: number; writeTimestamp?: boolean; format?: "glb" | "gltf" },
  ): Promise<Report>;
}
