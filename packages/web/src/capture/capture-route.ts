/** `/capture?space=ID`: the page in the hand of whoever takes the photos. */

/** @param pathname of the page, behind whatever path the server lives */
export function isCapture(pathname: string): boolean {
  return pathname.replace(/\/+$/, "").endsWith("/capture");
}

/** The space that the photos go to; `undefined`: none is named, so a new one is made. */
export function captureSpace(search: string): string | undefined {
  return new URLSearchParams(search).get("space") || undefined;
}

export function captureQuery(space: string): string {
  return `?space=${encodeURIComponent(space)}`;
}
