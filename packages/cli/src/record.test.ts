/** `cairn record` by the real binary against a real server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { workplace } from "./test/workplace.ts";

const { folder, start, cairn, firstLine } = workplace();

test("record: until it is long enough or Ctrl-C; files appear in the folder, and it says why it ended", async () => {
  const server = start(["serve", "--port", "0", "--data", join(folder, "data")]);
  const url = /http:\S+/.exec(await firstLine(server))![0];
  const at = ["--server", url];
  const made = await fetch(`${url}/v1/spaces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"id":"place"}',
  });
  assert.equal(made.status, 201);
  const rename = (title: string) =>
    fetch(`${url}/v1/spaces/place`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ title }),
    });

  const out = join(folder, "flight");
  const running = start(["record", "place", ...at, "--out", out, "--channels", "events", "--json"]);
  const printed = firstLine(running);
  for (;;) {
    const { recordings } = (await (await fetch(`${url}/v1/spaces/place/recordings`)).json()) as {
      recordings: object[];
    };
    if (recordings.length > 0) break;
  }
  await rename("castle");
  const ended = once(running, "exit");
  running.kill("SIGINT");
  const { reason, files } = JSON.parse(await printed) as {
    reason: string;
    files: { path: string; messages: number }[];
  };
  assert.deepEqual([reason, files.length, files[0]?.messages], ["stopped", 1, 1]);
  assert.deepEqual(await ended, [0, null]);
  assert.ok(readFileSync(files[0]!.path).includes('"title":"castle"'));

  const timed = await cairn(["record", "place", ...at, "--seconds", "0.1", "--formats", "mcap"]);
  assert.equal(timed.code, 1, "nothing came");
  assert.match(timed.out.toString(), /^recording [0-9a-f-]{36}; Ctrl-C ends it\nplace: as long as it was to be\n$/);
  const wrong = await cairn(["record", "place", ...at, "--channels", "sound"]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /^cairn: [^\n]*channels[^\n]*\n$/);
  assert.equal((await cairn(["record", "place", ...at, "--formats", "avi"])).code, 2);
  assert.ok(!existsSync(join(folder, "place")));
  const over = once(server, "exit");
  server.kill("SIGTERM");
  await over;
});
