/** @returns hex digits for so many random bytes; `crypto.randomUUID` is missing on pages that came by plain http. */
export function randomName(sizeBytes: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(sizeBytes));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
