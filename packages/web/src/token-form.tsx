/** Where a token is given, in place of the one that this browser has, if any. */
import { type JSX, useId } from "react";
import { keepToken } from "./token.ts";

export function TokenForm(): JSX.Element {
  const id = useId();
  const enter = (form: FormData) => {
    keepToken(String(form.get("token")).trim());
    location.reload();
  };
  return (
    <form className="token-form" action={enter}>
      <label htmlFor={id}>Token</label>
      <input id={id} name="token" type="password" required autoComplete="current-password" autoCapitalize="off" />
      <button type="submit" className="button primary">
        Come in
      </button>
    </form>
  );
}
