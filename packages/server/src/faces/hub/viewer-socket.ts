/** `/ws/viewer`: watches devices and steers them (HUB-4). */
import type { Arrival } from "../../http/upgrades.ts";
import type { FaceSocket } from "../face-socket.ts";
import { takeCommand } from "./control.ts";
import type { HubHouse } from "./house.ts";
import { placesOf } from "./source-name.ts";
import { Viewer } from "./viewers.ts";

export function serveViewer(house: HubHouse, socket: FaceSocket, { query, token }: Arrival): void {
  const places = placesOf(query, socket);
  if (!places) return;
  const viewer = new Viewer(socket, places.source, query.get("frames") === "1");
  house.viewers.add(viewer);
  socket.listen((fields, text) => {
    // Whoever has lost the right steers no more (HUB-49).
    if (house.context.access.judge(token, "operate", null) === "granted") takeCommand(house, viewer, fields, text);
    else socket.error("Not allowed");
  });
}
