/** For tests: a folder of their own, and the real binary run in it as a child process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { smallPhoto } from "@cairn/sample/small-photo";

export type Ended = { code: number | null; out: Buffer; err: string };

/** What still runs when the tests of the file end is killed, and the folder goes. */
export function workplace() {
  const binary = fileURLToPath(new URL("../../bin/cairn.mjs", import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), "cairn-cli-"));
  const running = new Set<ChildProcess>();
  after(() => {
    for (const child of running) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  /** Files of the sample's photos, small. @param names `07.jpg` */
  function smallPhotos(...names: string[]): Promise<string[]> {
    return Promise.all(
      names.map(async (name) => {
        const file = join(folder, name);
        writeFileSync(file, await smallPhoto(name));
        return file;
      }),
    );
  }

  function start(args: readonly string[]): ChildProcess {
    return startNode([binary, ...args]);
  }

  function startNode(args: readonly string[]): ChildProcess {
    const env: NodeJS.ProcessEnv = { ...process.env, NTP_SERVER: "off" };
    for (const name of ["CAIRN_SERVER", "CAIRN_TOKEN", "BIND_HOST", "DEBUG"]) delete env[name];
    const child = spawn(process.execPath, args, { env, cwd: folder });
    running.add(child);
    child.once("exit", () => running.delete(child));
    return child;
  }

  async function cairn(args: readonly string[], input: string | Buffer = ""): Promise<Ended> {
    return ended(start(args), input);
  }

  /** Runs a program of these lines. */
  async function node(program: string): Promise<Ended> {
    return ended(startNode(["--input-type=module", "--eval", program]), "");
  }

  async function ended(child: ChildProcess, input: string | Buffer): Promise<Ended> {
    child.stdin!.on("error", () => {}); // a command that reads nothing may be gone first
    child.stdin!.end(input);
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout!.on("data", (piece: Buffer) => out.push(piece));
    child.stderr!.on("data", (piece: Buffer) => err.push(piece));
    const [code] = (await once(child, "close")) as [number | null];
    return { code, out: Buffer.concat(out), err: Buffer.concat(err).toString() };
  }

  /** Resolves with everything on stdout up to the first line's end. */
  async function firstLine(child: ChildProcess): Promise<string> {
    let text = "";
    for await (const piece of child.stdout!) {
      text += String(piece);
      if (text.includes("\n")) return text;
    }
    throw new Error(`ended without a line: ${text}`);
  }

  return { binary, folder, smallPhotos, start, cairn, node, firstLine };
}
