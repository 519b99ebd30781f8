/** Files on their way into a session, two at a time, each with its progress; what is refused stays with the reason. */
import { CairnError } from "@cairn/protocol";
import { inWords } from "../../words.ts";
import { type Place, refusalInWords } from "../shared/place.ts";

export type ImageUpload = {
  readonly id: number;
  readonly name: string;
  /** 0…1. */
  readonly sent: number;
  readonly error?: string;
};

const AT_ONCE = 2;

export class ImageUploads {
  readonly #place: Place;
  readonly #fields: Readonly<Record<string, string>>;
  readonly #onChange: (uploads: readonly ImageUpload[]) => void;
  readonly #stop = new AbortController();
  readonly #waiting: { id: number; file: File }[] = [];
  readonly #cancels = new Map<number, AbortController>();
  #items: readonly ImageUpload[] = [];
  #nextId = 1;

  /** @param fields go with every file */
  constructor(
    place: Place,
    fields: Readonly<Record<string, string>>,
    onChange: (uploads: readonly ImageUpload[]) => void,
  ) {
    this.#place = place;
    this.#fields = fields;
    this.#onChange = onChange;
  }

  add(files: readonly File[]): void {
    const added = files.map((file) => ({ id: this.#nextId++, file }));
    this.#waiting.push(...added);
    this.#set([...this.#items, ...added.map(({ id, file }) => ({ id, name: file.name, sent: 0 }))]);
    while (this.#cancels.size < AT_ONCE && this.#waiting.length > 0) void this.#sendNext();
  }

  cancel(id: number): void {
    this.#cancels.get(id)?.abort(new CairnError("operation.cancelled"));
    const at = this.#waiting.findIndex((each) => each.id === id);
    if (at >= 0) this.#waiting.splice(at, 1);
    this.#set(this.#items.filter((each) => each.id !== id));
  }

  stop(): void {
    this.#waiting.length = 0;
    this.#stop.abort();
  }

  async #sendNext(): Promise<void> {
    const next = this.#waiting.shift();
    if (!next) return;
    const { id, file } = next;
    const cancelled = new AbortController();
    this.#cancels.set(id, cancelled);
    const signal = AbortSignal.any([this.#stop.signal, cancelled.signal]);
    try {
      await this.#send(file, signal, (sent) => this.#change(id, { sent }));
      this.#set(this.#items.filter((each) => each.id !== id));
    } catch (error) {
      if (!signal.aborted) this.#change(id, { error: inWords(error) });
    } finally {
      this.#cancels.delete(id);
      void this.#sendNext();
    }
  }

  /** By `XMLHttpRequest`: `fetch` does not say how much has been sent. */
  #send(file: File, signal: AbortSignal, onSent: (part: number) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const form = new FormData();
      for (const [name, value] of Object.entries(this.#fields)) form.set(name, value);
      form.set("file", file);
      const request = new XMLHttpRequest();
      request.open("POST", this.#place.http("api/v1/images"));
      for (const [name, value] of Object.entries(this.#place.headers)) request.setRequestHeader(name, value);
      request.responseType = "json";
      request.upload.onprogress = ({ loaded, total }) => onSent(total > 0 ? loaded / total : 0);
      request.onload = () => {
        if (request.status < 300) resolve();
        else reject(new Error(refusalInWords(request.response, request.status)));
      };
      request.onerror = () => reject(new TypeError());
      signal.addEventListener(
        "abort",
        () => {
          request.abort();
          reject(signal.reason);
        },
        { once: true },
      );
      request.send(form);
    });
  }

  #change(id: number, change: Partial<ImageUpload>): void {
    this.#set(this.#items.map((each) => (each.id === id ? { ...each, ...change } : each)));
  }

  #set(items: readonly ImageUpload[]): void {
    this.#items = items;
    if (!this.#stop.signal.aborted) this.#onChange(items);
  }
}
