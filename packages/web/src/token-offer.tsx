/** Beside what was not allowed: another token may. Any page says so once it was refused something for its token. */
import { type JSX, useState, useSyncExternalStore } from "react";
import { Dialog } from "./dialog.tsx";
import { Icon } from "./icons.tsx";
import { dismissShortfall, onShortfall, tokenFellShort } from "./token.ts";
import { TokenForm } from "./token-form.tsx";

export function TokenOffer(): JSX.Element | undefined {
  const offered = useSyncExternalStore(onShortfall, tokenFellShort);
  const [asking, setAsking] = useState(false);
  if (!offered) return undefined;
  return (
    <section className="card token-offer" aria-label="Another token">
      <span>Another token may be allowed more.</span>
      <button type="button" className="button small" onClick={() => setAsking(true)}>
        Use another token
      </button>
      <button type="button" className="icon-button" aria-label="Go on with this token" onClick={dismissShortfall}>
        <Icon name="close" />
      </button>
      {asking && <TokenDialog onClose={() => setAsking(false)} />}
    </section>
  );
}

function TokenDialog({ onClose }: { onClose(): void }): JSX.Element {
  return (
    <Dialog title="Use another token" onClose={onClose}>
      <p>It takes the place of the one that this browser has. The page is loaded anew.</p>
      <TokenForm />
    </Dialog>
  );
}
