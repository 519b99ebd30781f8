/**
 * A live connection for as long as a component is mounted, and until its photos are sent; re-renders at most once a
 * frame, however much happens.
 */
import { CairnApi, connect, type SpaceConnection, type Status } from "@cairn/client";
import { type CairnError, PRESENCE, type Presence } from "@cairn/protocol";
import { useEffect, useState } from "react";
import { comeBack, leave, type Visit } from "./left-spaces.ts";
import type { Site } from "./site.ts";
import { takeArrival, Uploads } from "./uploads.ts";
import { inWords, isOfTokens } from "./words.ts";

type OpenSpace = {
  connection: SpaceConnection;
  uploads: Uploads;
  status: Status;
  /** The state is the server's, not an empty one from before the first answer. */
  loaded: boolean;
  presence: Presence | undefined;
  /** Why there is nothing to see and never will be. */
  problem: { title: string; text: string } | undefined;
};

/** @param channel is heard beside who else is there @returns `undefined` until the first effect ran */
export function useSpace(
  { url, token }: Pick<Site, "url" | "token">,
  space: string,
  channel?: string,
): OpenSpace | undefined {
  const [open, setOpen] = useState<OpenSpace>();

  useEffect(() => {
    const server = { url, ...(token !== undefined && { token }) };
    const key = JSON.stringify([url, token, space, channel]);
    const begin = (): Visit => {
      const connection = connect({
        ...server,
        space,
        channels: [PRESENCE, ...(channel === undefined ? [] : [channel])],
      });
      return { connection, uploads: new Uploads(connection, new CairnApi(server), space) };
    };
    const visit = comeBack(key) ?? begin();
    const { connection, uploads } = visit;
    let problem: OpenSpace["problem"];
    let frame = 0;
    const render = () => {
      frame = 0;
      const { status, epoch } = connection;
      setOpen({ connection, uploads, status, loaded: epoch !== undefined, presence: visit.presence, problem });
    };
    const later = () => {
      frame ||= requestAnimationFrame(render);
    };
    const offs = [
      connection.on("state", later),
      connection.on("status", later),
      connection.on("presence", (next) => {
        visit.presence = next;
        later();
      }),
      connection.on("error", (error) => {
        problem = problemOf(error);
        later();
      }),
      uploads.subscribe(later),
    ];
    render();

    // Once there is a state: strict mode mounts twice, and only the connection that stays gets that far.
    const stop = new AbortController();
    connection.ready({ signal: stop.signal }).then(
      () => {
        const arrival = takeArrival(space);
        if (arrival === "sample") void uploads.addSample();
        else if (arrival) uploads.add(arrival.files, arrival.leftOut);
      },
      () => {},
    );
    return () => {
      stop.abort();
      cancelAnimationFrame(frame);
      for (const off of offs) off();
      leave(key, visit);
    };
  }, [url, token, space, channel]);

  return open;
}

function problemOf(error: CairnError): OpenSpace["problem"] {
  if (isOfTokens(error.code)) return { title: "Not open to you", text: inWords(error) };
  // The server's own words are for programs that make spaces.
  const gone = error.code === "space.missing";
  return {
    title: "Nothing here",
    text: gone ? "There is no such space: it was deleted, or the link to it is not whole." : inWords(error),
  };
}
