/** For tests: a client of the depth face, and photos for it. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { samplePhotosDir } from "@cairn/sample";
import { smallPhoto } from "@cairn/sample/small-photo";
import { FaceUser, type Message } from "./face-user.ts";
import type { TestServer } from "./test-server.ts";

/** The first so many of the tour, small. */
export async function samplePhotos(count: number): Promise<Buffer[]> {
  const names = (await readdir(samplePhotosDir)).filter((name) => name.endsWith(".jpg")).sort();
  return Promise.all(names.slice(0, count).map(smallPhoto));
}

export class DepthUser extends FaceUser {
  async image(photo: Buffer, filename?: string): Promise<void> {
    await this.tell({ type: "image", data: photo.toString("base64"), ...(filename !== undefined && { filename }) });
  }
}

export async function createSession(
  server: Pick<TestServer, "send">,
  query = "",
  body?: string,
): Promise<Message & { session_id: string }> {
  const response = await server.send("POST", `/ws/session/create${query}`, body ?? null);
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()) as Message & { session_id: string };
}
