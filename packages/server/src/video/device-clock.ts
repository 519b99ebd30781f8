/**
 * Questions about clocks over a device's socket (MOT-13): its own are answered, and a device that says with `?clock=1` that
 * it answers is asked, so that what it dates is told in the server's time.
 */
import type { Core } from "@cairn/core";
import { answerClock, isClockQuestion } from "@cairn/protocol";
import type { FaceSocket } from "../faces/face-socket.ts";

/** @returns what takes a message: whether it was about clocks */
export function serveClock(
  { clock }: Pick<Core, "clock">,
  socket: FaceSocket,
  source: string,
  query: URLSearchParams,
): (message: Readonly<Record<string, unknown>>) => boolean {
  const link =
    query.get("clock") === "1" ? clock.devices.open(source, (question) => socket.reply(question)) : undefined;
  if (socket.signal.aborted) link?.close();
  else socket.signal.addEventListener("abort", () => link?.close(), { once: true });
  return (message) => {
    if (message.type !== "clock") return false;
    if (isClockQuestion(message)) socket.reply(answerClock(message, clock.nowNs(), () => clock.nowNs()));
    else link?.hear(message);
    return true;
  };
}
