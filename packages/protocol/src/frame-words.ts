/** The frame of a model in words: which way is up, what its unit is, where on the earth it lies, and how surely. */
import { DOUBTS } from "./advice.ts";
import type { EventData } from "./events.ts";
import type { Georeference, Scale, Upright } from "./generation-events.ts";

const UP_BY = {
  verticals: "plumb lines",
  gravity: "motion sensors",
  horizon: "the cameras' horizons",
  gps: "GPS",
  cameras: "how the cameras are held",
} as const satisfies Record<Upright["source"], string>;

const METRES_BY = { gps: "GPS", motion: "motion sensors" } as const;

export function uprightInWords({ source, sigmaDeg, tiltDeg }: Upright): string {
  const way = tiltDeg < Math.max(1, sigmaDeg) ? "z is up" : `z is ${Math.round(tiltDeg)}° from up`;
  return `${way}, ±${sigmaDeg.toFixed(sigmaDeg < 10 ? 1 : 0)}° by ${UP_BY[source]}`;
}

/** "1 unit is 2.31 m by GPS, ±1.2 %" */
export function scaleInWords({ source, metres, sigma }: Scale): string {
  if (source === "unit") return "no scale: its unit is not a metre";
  const unit = metres === undefined ? "metres" : `1 unit is ${rounded(metres, 3)} m`;
  const unsure = sigma === undefined ? "" : `, ±${(100 * sigma).toFixed(1)} %`;
  return `${unit} by ${METRES_BY[source]}${unsure}`;
}

export function placeInWords({ latitudeDeg, longitudeDeg, residualM }: Georeference): string {
  const [north, east] = [latitudeDeg >= 0 ? "N" : "S", longitudeDeg >= 0 ? "E" : "W"];
  const place = `${Math.abs(latitudeDeg).toFixed(5)}° ${north}, ${Math.abs(longitudeDeg).toFixed(5)}° ${east}`;
  return `${place}; cameras ${rounded(residualM, 2)} m from where GPS saw them (RMS)`;
}

/** To so many digits, in no way that only programs read. */
function rounded(metres: number, digits: number): string {
  const text = metres.toPrecision(digits);
  return text.includes("e+") ? String(Number(text)) : text;
}

/** All that is known of the frame of a published generation, and why it is not to be relied on, in rows. */
export function frameInWords({
  upright,
  scale,
  georeference,
  doubts = [],
}: Pick<EventData<"generation.published">, "upright" | "scale" | "georeference" | "doubts">): {
  name: "Up" | "Unit" | "Place" | "Doubtful";
  text: string;
}[] {
  return [
    ...(upright ? [{ name: "Up" as const, text: uprightInWords(upright) }] : []),
    ...(scale ? [{ name: "Unit" as const, text: scaleInWords(scale) }] : []),
    ...(georeference ? [{ name: "Place" as const, text: placeInWords(georeference) }] : []),
    ...doubts.map((doubt) => ({ name: "Doubtful" as const, text: DOUBTS[doubt] })),
  ];
}
