/**
 * One question about the time, over any socket: asked on one clock, heard and answered on the other's. All times are
 * nanoseconds as decimal text, on the clock of whoever wrote them. Rule MOT-13.
 */

export type ClockQuestion = { readonly type: "clock"; readonly asked: string };
export type ClockAnswer = ClockQuestion & { readonly heard: string; readonly answered: string };

const TIME = /^[0-9]{1,19}$/;

function isClockTime(value: unknown): value is string {
  return typeof value === "string" && TIME.test(value);
}

export function isClockQuestion(message: Readonly<Record<string, unknown>>): message is ClockQuestion {
  return message.type === "clock" && isClockTime(message.asked) && message.heard === undefined;
}

/** @param heardNs when the question came in @param now read again, as late as can be */
export function answerClock({ asked }: ClockQuestion, heardNs: bigint, now: () => bigint): ClockAnswer {
  return { type: "clock", asked, heard: String(heardNs), answered: String(now()) };
}
