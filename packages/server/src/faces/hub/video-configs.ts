/** The last `video_config` of each source, as it came (HUB-34). */
const SOURCES = 256;
const MAX_CHARS = 65_536;

export class VideoConfigs {
  readonly #texts = new Map<string, string>();

  set(source: string, text: string): void {
    this.#texts.delete(source);
    if (text.length > MAX_CHARS) return;
    this.#texts.set(source, text);
    for (const oldest of this.#texts.keys()) {
      if (this.#texts.size <= SOURCES) break;
      this.#texts.delete(oldest);
    }
  }

  get(source: string): string | undefined {
    return this.#texts.get(source);
  }
}
