/** What an operator is told of a command, in whichever order it is heard. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HeldCommand } from "./held-device.ts";

test("CTL-19 a command that the device has accepted is not merely sent again when the server's answer comes later", async () => {
  const command = new HeldCommand(1);
  command.set({ outcome: "accepted" });
  command.set({ outcome: "sent" });
  assert.equal(command.outcome, "accepted");
  assert.equal(await command.reached("accepted"), "accepted");
  command.set({ outcome: "done", message: "there" });
  command.set({ outcome: "failed" });
  assert.deepEqual([command.outcome, command.message, command.settled], ["done", "there", true]);
});
