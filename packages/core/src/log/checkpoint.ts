/**
 * What a log keeps beside its segments: its identity (`log.json`) and the state as of some seqs (`….state`), so that
 * opening does not fold everything again. Rules LOG-8, LOG-11, LOG-12.
 */
import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DEFAULT_SETTINGS, type Seq, type SpaceState } from "@cairn/protocol";
import { errnoOf, fileIdentity, removeFile, writeFileDurably } from "../disk/disk.ts";
import { checksum } from "./record.ts";

/** Raise it when `applyEvent` folds differently: older states are then folded again from the events. */
const STATE_VERSION = 2;
/** Two, so that one that is damaged costs time only. */
const KEPT_STATES = 2;

const IDENTITY = "log.json";

export type Identity = {
  epoch: string;
  /** Oldest seq that can still be read. */
  first: Seq;
};

/**
 * The log's identity. It gets a new epoch when there is none yet, or when the folder is a copy of another (a restored
 * backup): the seqs of the other may have gone on, and meant something else.
 * @param oldest first seq of the oldest segment
 */
export async function claimIdentity(folder: string, oldest: Seq): Promise<Identity> {
  const stored = await readStored(join(folder, IDENTITY));
  let first = oldest;
  if (stored !== undefined) {
    const known: Identity & { file: string } = JSON.parse(stored);
    if (known.file === (await fileIdentity(join(folder, IDENTITY)))) return { epoch: known.epoch, first: known.first };
    first = known.first;
  }
  const identity = { epoch: randomUUID(), first };
  await writeIdentity(folder, identity);
  return identity;
}

export async function writeIdentity(folder: string, identity: Identity): Promise<void> {
  await writeFileDurably(join(folder, IDENTITY), (file) => withChecksum(JSON.stringify({ ...identity, file })));
}

/** The newest state that is whole, of those that `fits`. */
export async function readState(
  folder: string,
  fits: (seq: Seq) => boolean,
): Promise<{ seq: Seq; state: SpaceState } | undefined> {
  for (const seq of (await stateSeqs(folder)).reverse()) {
    if (!fits(seq)) continue;
    const stored = await readStored(join(folder, stateName(seq)));
    if (stored === undefined) continue;
    const { version, state }: { version: number; state: SpaceState } = JSON.parse(stored);
    if (version !== STATE_VERSION) continue;
    // One that was written before a setting was there has the default of it, as the events have.
    return { seq, state: { ...state, settings: { ...DEFAULT_SETTINGS, ...state.settings } } };
  }
  return undefined;
}

/** Durable when it resolves; `state` is written out before the first `await`. Lets older ones go. */
export async function writeState(folder: string, seq: Seq, state: SpaceState): Promise<void> {
  const text = withChecksum(JSON.stringify({ version: STATE_VERSION, seq, state }));
  await writeFileDurably(join(folder, stateName(seq)), text);
  const seqs = await stateSeqs(folder);
  for (const old of seqs.slice(0, -KEPT_STATES)) await removeFile(join(folder, stateName(old)));
}

function stateName(seq: Seq): string {
  return `${String(seq).padStart(16, "0")}.state`;
}

async function stateSeqs(folder: string): Promise<Seq[]> {
  const names = (await readdir(folder)).filter((name) => /^[0-9]{16}\.state$/.test(name));
  return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
}

function withChecksum(text: string): string {
  return `${checksum(text)} ${text}\n`;
}

/** `undefined` when the file is not there or is not what was written. */
async function readStored(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const body = text.slice(9, -1);
  return text === withChecksum(body) ? body : undefined;
}
