/** For tests: a client of the depth face. */
import assert from "node:assert/strict";
import { FaceUser, type Message } from "./face-user.ts";
import type { TestServer } from "./test-server.ts";

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
