/**
 * Recorded dialogues of known clients, played against a server by the tests of the faces: what is sent in order, over
 * sockets and HTTP, and what is expected back by pattern. In a pattern `"<int>"` and the like stand for any such value;
 * fields that it does not name may be there, but for an empty object, which has none. `${name}` is what an earlier
 * answer was saved as, `<base64:FILE>` and `<data-url:FILE>` are the bytes of a file that the test knows.
 */
import assert from "node:assert/strict";
import { WebSocket } from "ws";

type Save = Readonly<Record<string, string>>;

type Step =
  /** A socket, by a name where there are several. */
  | { readonly open: string; readonly as?: string }
  | { readonly send: string | object; readonly on?: string }
  /**
   * The next message, passing over types that come as often as they like. `only`: with no other fields. `save`: names
   * for fields of it.
   */
  | {
      readonly expect: unknown;
      readonly on?: string;
      readonly passing?: readonly string[];
      readonly only?: boolean;
      readonly save?: Save;
    }
  /** The client goes. */
  | { readonly leave: string }
  /** The server ends it. */
  | { readonly closed: { readonly code: number; readonly reason?: string }; readonly on?: string }
  | {
      readonly request: Request;
      readonly status: number;
      readonly headers?: object;
      readonly body?: unknown;
      readonly save?: Save;
    }
  /** Something outside, by a name that the test knows. */
  | { readonly act: string };

type Request = {
  readonly method: string;
  readonly path: string;
  readonly json?: object;
  /** Fields of a form; in `files` the names of files that the test knows. */
  readonly form?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
};

export type Transcript = { readonly about: string; readonly steps: readonly Step[] };

/** What is used of a WebSocket. */
type StageSocket = {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(text: string): void;
  close(): void;
};

/** Whose sockets and requests they are; left out: those of `ws` and of Node. */
export type StageClient = {
  readonly WebSocket: new (url: string) => StageSocket;
  readonly fetch: (
    url: string,
    init: { method: string; body?: FormData | string; headers?: Record<string, string> },
  ) => Promise<Response>;
  readonly FormData: new () => FormData;
};

export type Stage = {
  readonly url: string;
  readonly client?: StageClient;
  readonly file?: (name: string) => Promise<Uint8Array<ArrayBuffer>>;
  readonly acts?: Readonly<Record<string, () => Promise<unknown>>>;
};

const text = (fits: RegExp) => (value: unknown) => typeof value === "string" && fits.test(value);
const number = (value: unknown) => typeof value === "number" && Number.isFinite(value);

const KINDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  "<int>": Number.isSafeInteger,
  "<number>": number,
  "<text>": text(/./s),
  "<digest>": text(/^[0-9a-f]{64}$/),
  "<uuid>": text(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
  /** The forms of time of GEN-38. */
  "<time ms>": text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/),
  "<time s>": text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/),
  "<time Z>": text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  "<time us>": text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
  "<epoch>": (value) => number(value) && Math.abs(Number(value) - Date.now() / 1000) < 3600,
  /** Base64 of a file. */
  "<ply>": (value) => isPly(Buffer.from(String(value), "base64")),
  "<glb>": (value) => isGlb(Buffer.from(String(value), "base64")),
  "<png>": (value) => Buffer.from(String(value), "base64").subarray(1, 4).toString() === "PNG",
};

/** @throws AssertionError that says where they differ */
export function assertMatches(actual: unknown, pattern: unknown, at = "message"): void {
  if (typeof pattern === "string" && pattern in KINDS) {
    assert.ok(KINDS[pattern]!(actual), `${at}: ${JSON.stringify(actual)?.slice(0, 200)} is no ${pattern}`);
  } else if (pattern !== null && typeof pattern === "object" && Object.keys(pattern).length > 0) {
    assert.ok(actual !== null && typeof actual === "object", `${at}: ${JSON.stringify(actual)} is no object`);
    if (Array.isArray(pattern)) assert.equal((actual as unknown[]).length, pattern.length, `${at}: length`);
    for (const [name, wanted] of Object.entries(pattern)) {
      assertMatches((actual as Record<string, unknown>)[name], wanted, `${at}.${name}`);
    }
  } else assert.deepEqual(actual, pattern, at);
}

export async function play({ steps }: Transcript, stage: Stage): Promise<void> {
  const saved: Record<string, string> = {};
  const sockets = new Map<string, Socket>();
  const socket = (name = "") => {
    const found = sockets.get(name);
    assert.ok(found, `nobody opened the socket ${name}`);
    return found;
  };
  const bytesOf = async (name: string) => {
    assert.ok(stage.file, "this stage has no files");
    return stage.file(name);
  };
  const filled = <T>(value: T) => fill(value, saved, bytesOf);
  for (const [i, step] of steps.entries()) {
    const at = `step ${i} ${JSON.stringify(step).slice(0, 120)}`;
    if ("open" in step) sockets.set(step.as ?? "", new Socket(stage, await filled(step.open)));
    else if ("send" in step) await socket(step.on).send(await filled(step.send));
    else if ("expect" in step) {
      const heard = await socket(step.on).next(step.passing);
      assertMatches(heard, await filled(step.expect), at);
      if (step.only) assert.deepEqual(fieldsOf(heard), fieldsOf(step.expect), at);
      save(heard, step.save, saved);
    } else if ("request" in step) {
      const answer = await ask(stage, await filled(step.request), bytesOf);
      assert.equal(answer.status, step.status, `${at}: ${JSON.stringify(answer.body)?.slice(0, 200)}`);
      if (step.headers) assertMatches(answer.headers, await filled(step.headers), at);
      if (step.body !== undefined) assertMatches(answer.body, await filled(step.body), at);
      save(answer.body, step.save, saved);
    } else if ("closed" in step) assertMatches(await socket(step.on).closed, step.closed, at);
    else if ("leave" in step) await socket(step.leave).leave();
    else {
      const act = stage.acts?.[step.act];
      assert.ok(act, `step ${i}: nobody knows how to ${step.act}`);
      await act();
    }
  }
  for (const each of sockets.values()) {
    assert.deepEqual(each.unheard, [], "what nobody expected");
    await each.leave();
  }
}

const fieldsOf = (value: unknown) => Object.keys(value as object).sort();

function save(heard: unknown, names: Save = {}, saved: Record<string, string>): void {
  for (const [name, field] of Object.entries(names)) {
    saved[name] = String(field.split(".").reduce((value, key) => (value as Record<string, unknown>)?.[key], heard));
  }
}

async function fill<T>(value: T, saved: Save, bytesOf: (name: string) => Promise<Uint8Array>): Promise<T> {
  if (typeof value === "string") {
    const [, kind, name] = /^<(base64|data-url):(.+)>$/.exec(value) ?? [];
    if (name === undefined) return value.replace(/\$\{(\w+)\}/g, (_, key: string) => saved[key] ?? "") as T;
    const base64 = Buffer.from(await bytesOf(name)).toString("base64");
    return (kind === "base64" ? base64 : `data:image/jpeg;base64,${base64}`) as T;
  }
  if (Array.isArray(value)) return (await Promise.all(value.map((each) => fill(each, saved, bytesOf)))) as T;
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(async ([key, each]) => [key, await fill(each, saved, bytesOf)] as const);
  return Object.fromEntries(await Promise.all(entries)) as T;
}

/** Messages wait until the dialogue comes to them. */
class Socket {
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #ws: StageSocket;
  readonly #opened: Promise<void>;
  readonly #heard: unknown[] = [];
  #over = false;
  #look = () => {};

  constructor({ url, client }: Stage, path: string) {
    const ws = new (client?.WebSocket ?? WebSocket)(url.replace("http", "ws") + path);
    this.#ws = ws;
    ws.onmessage = ({ data }: { data: unknown }) => {
      const said = String(data);
      this.#heard.push(said.startsWith("{") ? JSON.parse(said) : said);
      this.#look();
    };
    ws.onerror = () => {};
    this.#opened = new Promise((resolve) => {
      ws.onopen = () => resolve();
    });
    this.closed = new Promise((resolve) => {
      ws.onclose = ({ code, reason }: { code: number; reason: string }) => {
        this.#over = true;
        this.#look();
        resolve({ code, reason });
      };
    });
  }

  /** What came and was not asked for. */
  get unheard(): readonly unknown[] {
    return this.#heard;
  }

  async send(message: string | object): Promise<void> {
    await this.#opened;
    this.#ws.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  async next(passing: readonly string[] = []): Promise<unknown> {
    for (;;) {
      const said = this.#heard.shift();
      if (said === undefined) {
        assert.ok(!this.#over, "the socket closed before the next message");
        await new Promise<void>((resolve) => {
          this.#look = resolve;
        });
      } else if (!passing.includes((said as { type?: string }).type ?? "")) return said;
    }
  }

  async leave(): Promise<void> {
    this.#ws.close();
    await this.closed;
  }
}

type Answer = { status: number; headers: object; body: unknown };

async function ask(
  { url, client }: Stage,
  { method, path, json, form, files }: Request,
  bytesOf: (name: string) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<Answer> {
  let body: FormData | undefined;
  if (form || files) {
    body = new (client?.FormData ?? FormData)();
    for (const [name, value] of Object.entries(form ?? {})) body.set(name, value);
    for (const [name, file] of Object.entries(files ?? {})) body.set(name, new Blob([await bytesOf(file)]), file);
  }
  const response = await (client?.fetch ?? fetch)(url + path, {
    method,
    ...(json && { body: JSON.stringify(json), headers: { "content-type": "application/json" } }),
    ...(body && { body }),
  });
  const { status } = response;
  return { status, headers: Object.fromEntries(response.headers), body: await bodyOf(response) };
}

/** JSON as it is, the parts of a form by name, other bytes as base64. */
async function bodyOf(response: Response): Promise<unknown> {
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("application/json")) return response.json();
  if (!type.startsWith("multipart/")) return { base64: Buffer.from(await response.arrayBuffer()).toString("base64") };
  const parts: Record<string, unknown> = {};
  for (const [name, part] of await response.formData()) {
    parts[name] =
      typeof part === "string" ? part : { base64: Buffer.from(await part.arrayBuffer()).toString("base64") };
  }
  return parts;
}

/** HER-32: its header to the letter, and as many bytes as it says. */
function isPly(bytes: Buffer): boolean {
  const header =
    /^ply\nformat binary_little_endian 1\.0\nelement vertex (\d+)\nproperty float x\nproperty float y\nproperty float z\nproperty uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n/.exec(
      bytes.toString("latin1", 0, 400),
    );
  return header !== null && bytes.length === header[0].length + 15 * Number(header[1]);
}

function isGlb(bytes: Buffer): boolean {
  return (
    bytes.toString("latin1", 0, 4) === "glTF" && bytes.readUInt32LE(4) === 2 && bytes.readUInt32LE(8) === bytes.length
  );
}
