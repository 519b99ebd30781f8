/** What the image tools' server says, as far as the page uses it. */

export type SessionImage = {
  readonly id: string;
  readonly original_filename: string;
  readonly original_size: number;
  readonly current_size: number;
  readonly width: number;
  readonly height: number;
  readonly thumbnail_url: string;
  readonly image_url: string;
  readonly source: string;
  /** Grows with each change, so that a picture is fetched anew. */
  readonly version: number;
};

export type SessionOperation = {
  readonly operation_id: string;
  readonly operation_type: string;
  readonly status: "pending" | "running" | "completed" | "failed" | "cancelled";
  readonly progress: number;
  readonly current: number;
  readonly total: number;
  readonly message: string;
  readonly error: string | null;
  readonly result: OperationResult | null;
};

export type OperationResult = {
  readonly succeeded: number;
  readonly failed: readonly { readonly image_id: string; readonly error: string }[];
  readonly original_size: number;
  readonly new_size: number;
};

export type Preset = { readonly name: string; readonly label: string; readonly description: string };

/** How images are made smaller: by the name of a preset, or by these figures. */
export type Compression =
  | { preset: string }
  | { preset: "custom"; quality: number; max_width: number; max_height: number; format: "JPEG" | "PNG" | "WEBP" };

const SOURCES: Readonly<Record<string, string>> = {
  web: "a browser",
  android_app: "the Android app",
  ios_app: "the iOS app",
  browser_addon: "a browser add-on",
  cli: "the command line",
};

export function sourceInWords(source: string): string {
  return SOURCES[source] ?? source.replaceAll("_", " ");
}

/** Milliseconds since 1970; the server writes UTC, in places without saying so. */
export function timeOf(text: unknown): number | undefined {
  if (typeof text !== "string") return undefined;
  const ms = Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}
