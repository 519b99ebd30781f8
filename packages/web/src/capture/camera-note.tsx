/** Why there is no camera, and what to do about it. */
import type { JSX } from "react";
import { phoneUrl } from "../phone/phone-url.ts";
import { TrustNote } from "../phone/trust-note.tsx";
import type { Site } from "../site.ts";
import type { CameraProblem } from "./camera.ts";

type CameraNoteProps = { problem: CameraProblem; space: string; site: Site; onRetry(): void };

export function CameraNote({ problem, space, site, onRetry }: CameraNoteProps): JSX.Element {
  const { url, token, reach } = site;
  const secure = problem.insecure && reach?.secure ? url.replace(/^http:/, "https:") : undefined;
  return (
    <div className="capture-note" role="alert">
      <strong>{problem.title}</strong>
      <p>{problem.text}</p>
      {!problem.insecure && (
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      )}
      {problem.insecure && !secure && (
        <p>
          Start the server with <code>npx cairn serve --https</code> and open the address it prints.
        </p>
      )}
      {secure && reach && (
        <>
          <a className="button primary" href={phoneUrl(secure, space, token)}>
            Open this page by HTTPS
          </a>
          <TrustNote reach={reach} server={secure} />
        </>
      )}
    </div>
  );
}
