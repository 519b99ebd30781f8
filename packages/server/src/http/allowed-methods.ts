/** GEN-6: which methods a path takes, so that a wrong one is told apart from an unknown path. */
export type AllowedMethods = {
  add(pattern: string, method: string): void;
  /** Empty when nothing answers at this path. */
  at(path: string): string[];
};

export function allowedMethods(): AllowedMethods {
  const routes = new Map<string, Set<string>>();
  const matches = (pattern: string, path: string) => {
    const wanted = pattern.split("/");
    const given = path.split("/");
    if (wanted.at(-1) === "*" ? given.length < wanted.length : given.length !== wanted.length) return false;
    return wanted.every((part, i) => part === "*" || (part.startsWith(":") ? given[i] !== "" : part === given[i]));
  };
  return {
    add(pattern, method) {
      const methods = routes.get(pattern) ?? new Set();
      routes.set(pattern, methods.add(method));
    },
    at(path) {
      const trimmed = path.length > 1 ? path.replace(/\/$/, "") : path;
      const found = [...routes].filter(([pattern]) => matches(pattern, trimmed)).flatMap(([, methods]) => [...methods]);
      return [...new Set(found)].sort();
    },
  };
}
