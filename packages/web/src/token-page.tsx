/** In place of everything else, where the server asks for a token and this browser has none, or one that is not known. */
import { type JSX, useId } from "react";
import { Mark } from "./icons.tsx";
import { keepToken } from "./token.ts";

export function TokenPage({ refused }: { refused: boolean }): JSX.Element {
  const id = useId();
  const enter = (form: FormData) => {
    keepToken(String(form.get("token")).trim());
    location.reload();
  };
  return (
    <main className="home">
      <header>
        <Mark />
        <h1>Cairn</h1>
        <p className="lead">This server lets in only those who carry a token.</p>
      </header>
      <form className="token-form" action={enter}>
        <label htmlFor={id}>Token</label>
        <input id={id} name="token" type="password" required autoComplete="current-password" autoCapitalize="off" />
        <button type="submit" className="button primary">
          Come in
        </button>
        {refused && (
          <p className="problem" role="alert">
            The token that this browser has is not known here.
          </p>
        )}
      </form>
    </main>
  );
}
