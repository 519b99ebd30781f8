/**
 * JSON that is passed on keeps the text it came as: numbers above 2^53 would lose digits in a parser (GEN-39). Members
 * are put in and looked up in the text itself, which has been parsed once before and is known to be an object.
 */
type Member = { readonly name: string; readonly begin: number; readonly value: number; readonly end: number };

/** A name that the sender used for something else stays readable under this one. */
const OTHER = "own_source";

/** The same object with `source` at its end; one that the sender has is called `own_source`. */
export function withSource(text: string, source: string): string {
  let object = text.trim();
  const own = membersOf(object).filter(({ name }) => name === "source");
  for (const { begin, value } of own.reverse()) {
    object = `${object.slice(0, begin)}"${OTHER}":${object.slice(value)}`;
  }
  const body = object.slice(0, -1).trimEnd();
  return `${body}${body.endsWith("{") ? "" : ","}"source":${JSON.stringify(source)}}`;
}

/** The text of a member's value, as it stands; the last one where there are several. */
export function memberText(text: string, name: string): string | undefined {
  const found = membersOf(text.trim()).findLast((member) => member.name === name);
  return found && text.trim().slice(found.value, found.end).trim();
}

/** Members of the outermost object, in order. @param text an object, without space around it */
function membersOf(text: string): Member[] {
  const members: Member[] = [];
  let depth = 0;
  let begin = -1;
  let name: string | undefined;
  let value = -1;
  const finish = (end: number) => {
    if (name !== undefined) members.push({ name, begin, value, end });
    name = undefined;
    begin = -1;
  };
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"') {
      const from = i;
      for (i++; text[i] !== '"' && i < text.length; i++) if (text[i] === "\\") i++;
      if (depth === 1 && begin < 0) {
        begin = from;
        name = JSON.parse(text.slice(from, i + 1)) as string;
        value = text.indexOf(":", i) + 1;
        i = value - 1;
      }
    } else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") {
      if (--depth === 0) finish(i);
    } else if (char === "," && depth === 1) finish(i);
  }
  return members;
}
