/**
 * Code that is fetched when it is asked for. Where it does not come (the server is away, or has a newer page than this
 * one) that is said in its place, the rest of the page goes on, and whoever asks again fetches again.
 */
import { type ComponentType, type JSX, useEffect, useState } from "react";
import { Mark } from "./icons.tsx";

export const NOT_LOADED =
  "This part of the page could not be loaded. Check that the server is running, then reload: it may have a newer page.";

type LateOptions<Props> = {
  load(): Promise<ComponentType<Props>>;
  waiting?: JSX.Element | null;
  /** In the place of what does not come. */
  Missing?: ComponentType<Props>;
};

export function late<Props extends object>(options: LateOptions<Props>): ComponentType<Props> {
  const { load, waiting = <main className="space" />, Missing = PageMissing } = options;
  let known: ComponentType<Props> | undefined;
  return function Late(props) {
    const [is, setIs] = useState<"asked" | "here" | "missing">("asked");
    useEffect(() => {
      if (known) return;
      let gone = false;
      const end = (how: "here" | "missing") => {
        if (!gone) setIs(how);
      };
      load().then(
        (Loaded) => {
          known = Loaded;
          end("here");
        },
        () => end("missing"),
      );
      return () => {
        gone = true;
      };
    }, []);
    const Known = known;
    if (Known) return <Known {...props} />;
    return is === "missing" ? <Missing {...props} /> : waiting;
  };
}

const PageMissing = (): JSX.Element => <Trouble text={NOT_LOADED} />;

/** In place of a whole page, with the one thing that helps. */
export function Trouble({ text }: { text: string }): JSX.Element {
  return (
    <main className="home">
      <header>
        <Mark />
        <h1>Cairn</h1>
        <p className="lead" role="alert">
          {text}
        </p>
        <button type="button" className="button primary" onClick={() => location.reload()}>
          Reload
        </button>
      </header>
    </main>
  );
}
