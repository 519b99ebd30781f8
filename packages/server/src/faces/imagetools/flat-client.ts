/** The flat dialect of the version that was built: a ping every ten seconds, and every upload. Rule IMG-18. */
import { CLOSE } from "@cairn/protocol";
import type { FaceSocket } from "../face-socket.ts";
import type { Session, SessionListener } from "./session.ts";

const PING_EVERY_MS = 10_000;

const SOURCES: ReadonlyMap<string, string> = new Map([
  ["android_app", "mobile"],
  ["browser_addon", "addon"],
]);

/** Until the socket is over. What it says is not looked at. */
export async function runFlatClient(socket: FaceSocket, session: Session): Promise<void> {
  const { signal } = socket;
  let seq = session.space.log.head;
  let wake = () => {};
  const listener: SessionListener = {
    news: () => wake(),
    expiring: () => {},
    expired: () => socket.close(CLOSE.missing, "Session expired"),
  };
  const ping = () => socket.reply({ type: "ping", timestamp: performance.now() / 1000 });
  socket.listen(
    () => {},
    () => {},
  );
  signal.addEventListener("abort", () => wake(), { once: true });
  session.listeners.add(listener);
  ping();
  const pinging = setInterval(ping, PING_EVERY_MS);
  try {
    while (!signal.aborted) {
      if (session.space.signal.aborted) return socket.close(1000, "Session deleted");
      const next = session.next(seq);
      if (next === "older") seq = session.keptAfter;
      else if (next) {
        seq = next.seq;
        const { type, data } = next.envelope;
        if (type !== "image.uploaded") continue;
        const source = String(data.source);
        await socket.send({ type: "new_image", image_id: data.image_id, source: SOURCES.get(source) ?? source });
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (signal.aborted || session.space.signal.aborted || session.next(seq) !== undefined) resolve();
        });
      }
    }
  } finally {
    clearInterval(pinging);
    session.listeners.delete(listener);
  }
}
