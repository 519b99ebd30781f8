/** Base64 as clients send it: either alphabet, with or without padding, white space and data-URL prefix. Rule GEN-29. */

const PREFIX = /^data:.*?;base64,/i;
const SPACE = /[ \t\r\n]/g;
const STANDARD = /^[A-Za-z0-9+/]+={0,2}$/;
const URL_SAFE = /^[A-Za-z0-9_-]+={0,2}$/;

/** The bytes; undefined when it is not base64, or holds nothing. */
export function decodeBase64(text: string): Buffer | undefined {
  const body = text.replace(SPACE, "").replace(PREFIX, "");
  if (!STANDARD.test(body) && !URL_SAFE.test(body)) return undefined;
  const digits = body.replace(/=+$/, "").length;
  // One digit alone holds 6 of 8 bits; padding, where there is any, fills up to four.
  if (digits % 4 === 1 || (body.length > digits && body.length % 4 !== 0)) return undefined;
  return Buffer.from(body, "base64");
}
