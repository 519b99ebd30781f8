/** What the time of a job goes to. The work names its stages as it goes, so that a benchmark can put a clock to them. */

type Stage =
  | "features"
  | "candidates"
  | "matches"
  | "verification"
  | "slants"
  | "focal length"
  | "registration"
  | "points"
  | "local adjustment"
  | "global adjustment"
  | "doubt"
  | "lens check"
  | "depth"
  | "handing out";

/** From now on, until it is called again, the work belongs to this stage. */
export type OnStage = (stage: Stage) => void;

export const unwatched: OnStage = () => {};
