/** `/ws/video/consume`: parameter sets, then H.264 as it comes, one message for a packet (HUB-2, HUB-20 to HUB-23). */
import type { Arrival } from "../../http/upgrades.ts";
import { LAYOUTS, packetSink } from "../../video/packet-sink.ts";
import type { FaceSocket } from "../face-socket.ts";
import type { HubHouse } from "./house.ts";
import { placesOf } from "./source-name.ts";

export function serveConsumer(house: HubHouse, socket: FaceSocket, { query }: Arrival): void {
  const places = placesOf(query, socket);
  if (!places) return;
  socket.listen(
    () => {},
    () => {},
  );
  const layout = query.get("framing") === "packet" ? LAYOUTS.hub : LAYOUTS.h264;
  const sink = packetSink(socket, layout, (seconds) => house.context.videoMetrics.latency.observe(seconds));
  const consumer = house.video.consume({ source: places.source, gop: query.get("gop") === "1" }, sink);
  socket.onRoom(() => consumer.drain());
  if (socket.signal.aborted) consumer.close();
  else socket.signal.addEventListener("abort", () => consumer.close(), { once: true });
}
