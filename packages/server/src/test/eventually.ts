/** For tests: waits for what the log of a space will say. */
import type { CairnEvent } from "@cairn/protocol";

/** The first event that fits, from the beginning of the log. */
export async function eventually(
  url: string,
  fits: (event: CairnEvent) => boolean,
  space = "place",
): Promise<CairnEvent> {
  const response = await fetch(`${url}/v1/spaces/${space}/events/stream?after=0`, {
    signal: AbortSignal.timeout(90_000),
  });
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const whole = text.split("\n\n");
    text = whole.pop()!;
    for (const message of whole) {
      const data = /^data: (.*)$/m.exec(message)?.[1];
      const event = data === undefined ? undefined : (JSON.parse(data) as CairnEvent);
      if (event && fits(event)) return event;
    }
  }
  throw new Error("the stream ended");
}
