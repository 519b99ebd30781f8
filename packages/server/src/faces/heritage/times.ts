/** Times as heritage clients read them: ISO, UTC, without a zone (GEN-38). */
import { nsToMs, type TimeNs } from "@cairn/protocol";

/** `2025-11-02T12:34:56.789` */
export function isoMillis(timeNs: TimeNs): string {
  return new Date(nsToMs(timeNs)).toISOString().slice(0, 23);
}

/** `2025-11-02T12:00:00` */
export function isoSeconds(timeNs: TimeNs): string {
  return new Date(nsToMs(timeNs)).toISOString().slice(0, 19);
}
