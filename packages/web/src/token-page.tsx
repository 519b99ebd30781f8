/** In place of everything else, where the server asks for a token and this browser has none, or one that is not known. */
import type { JSX } from "react";
import { Mark } from "./icons.tsx";
import { TokenForm } from "./token-form.tsx";

export function TokenPage({ refused }: { refused: boolean }): JSX.Element {
  return (
    <main className="home">
      <header>
        <Mark />
        <h1>Cairn</h1>
        <p className="lead">This server lets in only those who carry a token. Whoever runs it gives you one.</p>
      </header>
      <TokenForm />
      {refused && (
        <p className="problem" role="alert">
          The token that this browser has is not known here.
        </p>
      )}
    </main>
  );
}
