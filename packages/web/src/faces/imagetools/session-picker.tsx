/** Start of the image sessions' page: a new one, or one that somebody else has. */
import { type JSX, useEffect, useState } from "react";
import { Icon, Mark } from "../../icons.tsx";
import { inWords } from "../../words.ts";
import { isRecord, type Place } from "../shared/place.ts";

function sessionHash(id: string): string {
  return `#/${encodeURIComponent(id)}`;
}

export function SessionPicker({ place }: { place: Place }): JSX.Element {
  const [id, setId] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();

  useEffect(() => {
    document.title = "Image sessions · Cairn";
  }, []);

  const open = async (find: () => Promise<string>) => {
    setBusy(true);
    try {
      location.hash = sessionHash(await find());
    } catch (error) {
      setProblem(inWords(error));
      setBusy(false);
    }
  };
  const create = async () => {
    const made = await place.post("api/v1/sessions", {});
    if (!isRecord(made)) throw new Error("The server gave no session.");
    return String(made.id);
  };
  const join = async () => {
    const wanted = id.trim();
    const told = await place.json(`api/v1/sessions/${encodeURIComponent(wanted)}/validate`);
    if (isRecord(told) && told.valid === true) return wanted;
    throw new Error("There is no session with this id, or it has ended.");
  };

  return (
    <main className="home">
      <header>
        <Mark />
        <h1>Image session</h1>
        <p className="lead">
          Images from a phone, an add&#8209;on or this page, seen at once by everyone who has the session.
        </p>
      </header>
      <div className="offers one">
        <button type="button" className="offer" disabled={busy} onClick={() => void open(create)}>
          <Icon name="plus" />
          <strong>Start a session</strong>
          <span>It lasts seven days, and its address can be shared.</span>
        </button>
      </div>
      <form
        className="join"
        onSubmit={(event) => {
          event.preventDefault();
          void open(join);
        }}
      >
        <input
          className="text-field"
          aria-label="Id of a session"
          placeholder="Id of a session"
          value={id}
          maxLength={128}
          required
          onChange={({ target }) => setId(target.value)}
        />
        <button type="submit" className="button primary" disabled={busy}>
          Join
        </button>
      </form>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </main>
  );
}
