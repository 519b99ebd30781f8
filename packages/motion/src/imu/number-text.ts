/**
 * The digits of a number as they stand in JSON text. `JSON.parse` makes doubles of them, and a double holds 53 bits:
 * 1750000000952559124 would come out as …104.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;

/**
 * What stands in the text as the value of a member of its outermost object: `12`, `"12"`, `{…}`. Of several with the
 * name it is the last, as for `JSON.parse`.
 * @param text JSON that `JSON.parse` takes, an object @returns undefined without such a member
 */
export function memberText(text: string, name: string): string | undefined {
  let found: string | undefined;
  let at = text.indexOf("{") + 1;
  for (;;) {
    at = skipSpace(text, at);
    if (text.charCodeAt(at) !== QUOTE) return found; // the closing bracket
    const afterKey = stringEnd(text, at);
    const key = text.slice(at + 1, afterKey - 1);
    // A key may be written with escapes.
    const same = key === name || (key.includes("\\") && JSON.parse(`"${key}"`) === name);
    at = skipSpace(text, afterKey);
    if (text.charCodeAt(at) !== COLON) throw new RangeError("not JSON");
    const start = skipSpace(text, at + 1);
    const end = valueEnd(text, start);
    if (same) found = text.slice(start, end).trimEnd();
    if (text.charCodeAt(end) !== COMMA) return found;
    at = end + 1;
  }
}

/**
 * The whole number that a JSON number or a text of digits stands for, exactly; `1.5e3` is 1500.
 * @param text as {@link memberText} gives it @returns undefined for anything else: a fraction, a sign, another text
 */
export function wholeNumber(text: string): bigint | undefined {
  const quoted = /^"([0-9]{1,40})"$/.exec(text)?.[1];
  if (quoted !== undefined) return BigInt(quoted);
  const [, whole, fraction = "", exponent = "0"] =
    /^([0-9]{1,40})(?:\.([0-9]{1,40}))?(?:[eE]([+-]?[0-9]{1,4}))?$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  // digits · 10^shift
  const shift = Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  if (digits === 0n) return 0n;
  if (shift > 40) return undefined; // beyond every bound, and dear to work out
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  const unit = 10n ** BigInt(Math.min(-shift, 100));
  return digits % unit === 0n ? digits / unit : undefined;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (let c = text.charCodeAt(at); c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09; c = text.charCodeAt(at)) at++;
  return at;
}

/** @param from at the opening quote @returns behind the closing one */
function stringEnd(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === BACKSLASH) at++;
    else if (c === QUOTE) return at + 1;
  }
  throw new RangeError("not JSON");
}

/** @returns at the comma or bracket that follows the value */
function valueEnd(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === QUOTE) at = stringEnd(text, at) - 1;
    else if (c === 0x7b || c === 0x5b) depth++;
    else if (c === 0x7d || c === 0x5d) {
      if (depth-- === 0) return at;
    } else if (c === COMMA && depth === 0) return at;
  }
  throw new RangeError("not JSON");
}
