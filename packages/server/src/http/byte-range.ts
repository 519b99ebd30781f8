/** `Range: bytes=a-b`, one range (RFC 9110 §14). */
type ByteRange = { start: number; end: number };

/** `end` is exclusive. `undefined`: send it whole; `"unsatisfiable"`: 416. Several ranges are answered whole, as allowed. */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | "unsatisfiable" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const [from, to] = [match[1]!, match[2]!];
  if (from === "") {
    const last = Math.min(Number(to), sizeBytes);
    return last === 0 ? "unsatisfiable" : { start: sizeBytes - last, end: sizeBytes };
  }
  const start = Number(from);
  const end = to === "" ? sizeBytes : Math.min(Number(to) + 1, sizeBytes);
  if (to !== "" && Number(to) < start) return undefined;
  return start >= sizeBytes ? "unsatisfiable" : { start, end };
}
