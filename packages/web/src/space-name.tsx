/** The name of a space: read where it stands, and changed there. The field lies over the words and is as large as they are. */
import { type JSX, useRef, useState } from "react";

const MAX_LETTERS = 200;

type SpaceNameProps = { name: string; onRename(name: string): Promise<boolean> };

/**
 * @param onRename with another name than the one there is; says whether it was taken. Give a `key` that changes with
 * the name
 */
export function SpaceName({ name, onRename }: SpaceNameProps): JSX.Element {
  const [draft, setDraft] = useState<string>();
  const asked = useRef<string>(undefined);
  const end = async (text: string) => {
    const wanted = text.replace(/\s+/g, " ").trim();
    if (wanted === "" || wanted === name) return setDraft(undefined);
    if (wanted === asked.current) return; // it is on its way
    asked.current = wanted;
    if (await onRename(wanted)) return;
    asked.current = undefined;
    setDraft((now) => (now === text ? undefined : now)); // unless it is being written anew
  };
  return (
    <div className="name">
      <h1>{draft ?? name}</h1>
      <textarea
        aria-label="Name of this space"
        title={name}
        rows={1}
        value={draft ?? name}
        maxLength={MAX_LETTERS}
        spellCheck={false}
        onChange={({ target }) => setDraft(target.value)}
        onBlur={({ target }) => void end(target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.value = name;
          if (event.key !== "Escape" && event.key !== "Enter") return;
          event.preventDefault();
          event.currentTarget.blur();
        }}
      />
    </div>
  );
}
