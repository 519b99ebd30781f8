/** For tests of control: a drone that Ann holds, and what is refused. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { CairnError, type ErrorCode, type LeaseGrant } from "@cairn/protocol";
import type { DeviceSession } from "../control/space-control.ts";
import { type ControlledSpace, controlledSpace, DRONE, TestDevice } from "./controlled-space.ts";

export type Flight = { place: ControlledSpace; drone: TestDevice; session: DeviceSession; ann: LeaseGrant };

/** A drone that is connected, and Ann who holds it. */
export async function flight(t: TestContext): Promise<Flight> {
  const place = await controlledSpace(t);
  const drone = new TestDevice();
  const session = await place.control.connect(DRONE, drone.link);
  const ann = await place.control.take("drone", { holder: "Ann" });
  return { place, drone, session, ann };
}

export const move = (command: number, x = 0.5) => ({ command, kind: "move", data: { x } });

export async function refused(work: Promise<unknown>, code: ErrorCode): Promise<CairnError> {
  const error = await work.then(
    () => assert.fail(`${code} was expected`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CairnError, String(error));
  assert.equal(error.code, code);
  return error;
}
