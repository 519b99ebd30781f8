/** `If-None-Match` (RFC 9110 §13.1.2): whether the client has what we would send. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  return (header ?? "").split(",").some((each) => [etag, `W/${etag}`, "*"].includes(each.trim()));
}
