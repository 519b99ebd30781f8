/** Times as image tools' clients read them: ISO, UTC (GEN-38). */
import { nsToMs, type TimeNs } from "@cairn/protocol";

/** Events: `2026-02-07T12:34:56Z` */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** HTTP: `2026-02-07T12:34:56.123456` */
export function isoMicros(timeNs: TimeNs): string {
  const micros = (BigInt(timeNs) / 1000n) % 1_000_000n;
  return `${new Date(nsToMs(timeNs)).toISOString().slice(0, 19)}.${String(micros).padStart(6, "0")}`;
}
