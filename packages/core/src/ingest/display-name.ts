/**
 * What is shown of a sender's file name: the last part of what may be a path, without what would disturb a line of text.
 * @param other where nothing is left
 */
export function displayName(name: string, other: string): string {
  const base = name.split(/[/\\]/).at(-1) ?? "";
  // Control characters, and those that turn the direction of writing (a way to hide an extension).
  const plain = base.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "").trim();
  // Half of a surrogate pair, as sent or as cut, is no text.
  return plain.slice(0, 255).replace(/\p{Cs}/gu, "") || other;
}
