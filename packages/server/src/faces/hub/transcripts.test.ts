/** What known clients of the hub say and hear, in order. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { HubUser } from "../../test/hub-user.ts";
import { testServer } from "../../test/test-server.ts";
import { play, type Transcript } from "../transcript.ts";

const FOLDER = new URL("../../../src/faces/hub/transcripts/", import.meta.url);

async function recorded<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(new URL(`${name}.json`, FOLDER), "utf8")) as T;
}

/** What a transcript's player needs of a client. */
function player(user: HubUser) {
  let heard = 0;
  return {
    send: (text: string) => user.send(text),
    async next(): Promise<unknown> {
      const text = await user.until(({ texts }) => texts[heard]);
      heard++;
      return text.startsWith("{") ? JSON.parse(text) : text;
    },
  };
}

test("HUB-3 HUB-6 HUB-33 HUB-36 HUB-44 a phone's dialogue", async (t) => {
  const server = await testServer(t);
  const transcript = await recorded<Transcript>("phone");
  const viewer = await HubUser.open(server, "/ws/viewer");
  const phone = await HubUser.open(server, transcript.path);
  await play(transcript, player(phone), {
    "a viewer steers": async () => {
      viewer.send({ type: "movement", x: 0.5, y: -0.25, timestamp: "1763730000000000000" });
      viewer.send({ type: "flightmode", action: "land", timestamp: "1763730000100000000" });
    },
  });
  const said = await viewer.until(({ texts }) => (texts.length >= 3 ? texts : undefined));
  assert.match(said[2]!, /"timestamp":1763730000123456789,.*"source":"default"/);
  for (const user of [viewer, phone]) await user.leave();
});

test("HUB-4 HUB-39 HUB-42 HUB-43 HUB-46 HUB-48 a page's dialogue", async (t) => {
  const server = await testServer(t);
  const transcript = await recorded<Transcript>("viewer");
  const viewer = await HubUser.open(server, transcript.path);
  let phone: HubUser | undefined;
  await play(transcript, player(viewer), {
    "a phone connects": async () => {
      phone = await HubUser.open(server, "/ws/phone");
    },
    "the phone obeys": async () => {
      await phone?.of("rotation");
      phone?.send('{"type":"status_message","timestamp":1763730000200000000,"message":"turning"}');
    },
    restart: () => server.send("POST", "/api/restart"),
  });
  await viewer.leave();
  await phone?.leave();
});

test("HUB-11..HUB-14 HUB-20 a simulator's packets, byte for byte", async (t) => {
  const server = await testServer(t);
  const { sent, relayed } = await recorded<{ sent: string[]; relayed: string[] }>("simulator");
  const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");
  const consumer = await HubUser.open(server, "/ws/video/consume");
  const producer = await HubUser.open(server, "/ws/video");
  producer.send(...sent.map(bytes));
  assert.deepEqual(await consumer.packets(relayed.length), relayed.map(bytes));
  await producer.settled();
  assert.deepEqual(producer.texts, ["pong"]);
  for (const user of [consumer, producer]) await user.leave();
});
