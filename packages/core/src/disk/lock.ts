/**
 * One process owns a data directory. Rules CORE-1 and CORE-2 of docs/spec/log.md.
 *
 * Node has no file locks that the kernel lets go of, so ownership is a numbered claim: a file `lock.7`, made whole and
 * exclusively (link). The highest number owns. A claim whose process is gone, or that says `free`, may be followed by
 * the next number, and numbers never go back, so two that find the same dead claim cannot both follow it, and a slow
 * one that looked long ago sees a higher number and withdraws.
 */
import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CairnError } from "@cairn/protocol";
import { errnoOf, TEMPORARY } from "./disk.ts";

type Owner = { pid: number; startTicks: string; boot: string };

type Claim = { number: number; free: boolean };

/** @returns how to free it. @throws {CairnError} `store.locked` with the owner's `pid` */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const me: Owner = { pid: process.pid, startTicks: await startTicksOf(process.pid), boot: await bootId() };
  const temporary = join(folder, `${randomUUID()}${TEMPORARY}`);
  await writeFile(temporary, `${JSON.stringify(me)}\n`, { flag: "wx" });
  try {
    for (;;) {
      const highest = highestOf(await claims(folder));
      if (highest && !highest.free) await refuseIfAlive(folder, highest.number);
      const number = (highest?.number ?? 0) + 1;
      if (!(await claim(temporary, folder, number))) continue;
      return async () => rename(nameOf(folder, number), freeNameOf(folder, number));
    }
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Whether the claim was made and is the highest. */
async function claim(temporary: string, folder: string, number: number): Promise<boolean> {
  try {
    await link(temporary, nameOf(folder, number));
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
  const all = await claims(folder);
  if (all.some((each) => each.number > number || (each.number === number && each.free))) {
    await rm(nameOf(folder, number), { force: true });
    return false;
  }
  for (const old of all) {
    if (old.number === number) continue;
    await rm(old.free ? freeNameOf(folder, old.number) : nameOf(folder, old.number), { force: true });
  }
  return true;
}

async function refuseIfAlive(folder: string, number: number): Promise<void> {
  let text: string;
  try {
    text = await readFile(nameOf(folder, number), "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return; // Freed or followed meanwhile: making the claim will tell.
    throw error;
  }
  let owner: Partial<Owner>;
  try {
    owner = JSON.parse(text);
  } catch {
    return; // Cut off by a power failure: whoever wrote it is gone.
  }
  if (owner.pid === undefined || owner.boot !== (await bootId())) return;
  if ((await startTicksOf(owner.pid)) !== owner.startTicks || owner.startTicks === "") return;
  throw new CairnError("store.locked", { pid: owner.pid });
}

async function claims(folder: string): Promise<Claim[]> {
  const found = (await readdir(folder)).map((name) => /^lock\.([0-9]{1,15})(\.free)?$/.exec(name));
  return found.flatMap((match) => (match ? [{ number: Number(match[1]), free: match[2] !== undefined }] : []));
}

function highestOf(all: Claim[]): Claim | undefined {
  return all.reduce<Claim | undefined>((best, each) => (best && best.number >= each.number ? best : each), undefined);
}

function nameOf(folder: string, number: number): string {
  return join(folder, `lock.${number}`);
}

function freeNameOf(folder: string, number: number): string {
  return `${nameOf(folder, number)}.free`;
}

/** When the process began; with its number, that names it for as long as the machine runs. Empty when it is gone. */
async function startTicksOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    // The second field is the program's name in parentheses and may hold spaces; field 22 is the start.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "" : (fields[19] ?? "");
  } catch {
    return startsWithoutProc(pid);
  }
}

/** Elsewhere than on Linux: whether it runs is all that can be asked. */
function startsWithoutProc(pid: number): string {
  if (process.platform === "linux") return "";
  try {
    process.kill(pid, 0);
    return "running";
  } catch (error) {
    return errnoOf(error) === "EPERM" ? "running" : "";
  }
}

async function bootId(): Promise<string> {
  return readFile("/proc/sys/kernel/random/boot_id", "utf8").then(
    (text) => text.trim(),
    () => "",
  );
}
