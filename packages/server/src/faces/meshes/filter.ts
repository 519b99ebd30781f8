/** Which designs a client wants: `collection=NAME` (repeatable, `*`) and `match=GLOB` on the name. Rule MSH-27. */

const MAX_GLOB = 256;

export type Filter = {
  readonly collections: ReadonlySet<string>;
  matches(design: string): boolean;
};

/**
 * @param wanted as given; none: `usual`
 * @param known every collection there is
 * @returns the filter and what is wrong with what was given; that is then left out of it
 */
export function filterOf(
  { wanted, globs }: { wanted: readonly string[]; globs: readonly string[] },
  known: readonly string[],
  usual: readonly string[],
): { filter: Filter; problems: { name: "collection" | "match"; text: string; input: string }[] } {
  const problems: { name: "collection" | "match"; text: string; input: string }[] = [];
  const collections = new Set<string>();
  for (const name of wanted) {
    if (name === "*") for (const each of known) collections.add(each);
    else if (known.includes(name)) collections.add(name);
    else problems.push({ name: "collection", text: "Unknown collection", input: name.slice(0, 64) });
  }
  if (collections.size === 0) for (const name of usual) collections.add(name);
  const usable = globs.filter((glob) => {
    const good = glob.length > 0 && glob.length <= MAX_GLOB;
    if (!good) problems.push({ name: "match", text: "Invalid match", input: glob.slice(0, 64) });
    return good;
  });
  const matches = (design: string) => usable.length === 0 || usable.some((glob) => globMatches(glob, design));
  return { filter: { collections, matches }, problems };
}

/** `*` any text, `?` one character; time grows with the product of the lengths at most. */
function globMatches(glob: string, text: string): boolean {
  const pattern = [...glob];
  const letters = [...text];
  let [at, of, star, resume] = [0, 0, -1, 0];
  while (of < letters.length) {
    if (pattern[at] === "*") {
      star = at++;
      resume = of;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === letters[of])) {
      at++;
      of++;
    } else if (star >= 0) {
      at = star + 1;
      of = ++resume;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
