/** The ways of cameras that filmed, as the log should have them: from the cameras of the generation that is shown. */
import { type EventDraft, type PathPose, type PathState, type SpaceState, shownGeneration } from "@cairn/protocol";

/** Of one event. */
const MOST_POSES = 1000;

/**
 * What the log lacks; none when it has it all, so that it may be asked at any time, and after any crash. Photos of a
 * sequence whose time nobody told have no place on a way.
 */
export function pathEvents(state: SpaceState): EventDraft[] {
  const shown = shownGeneration(state);
  if (!shown?.published) return [];
  const fresh = new Map<string, PathPose[]>();
  const known = new Map<string, Map<string, PathPose>>();
  for (const { image, sequence, capturedNs } of Object.values(state.images)) {
    const camera = shown.cameras[image];
    if (sequence === undefined || sequence === "" || capturedNs === undefined || !camera) continue;
    const poses = known.get(sequence) ?? byImage(state.paths?.[sequence], shown.generation);
    known.set(sequence, poses);
    const { pose } = camera;
    const before = poses.get(image)?.pose;
    if (before && samePose(before, pose)) continue;
    const extended = fresh.get(sequence) ?? [];
    fresh.set(sequence, extended);
    extended.push({ image, timeNs: capturedNs, pose });
  }
  const events: EventDraft[] = [];
  for (const [path, poses] of fresh) {
    for (let from = 0; from < poses.length; from += MOST_POSES) {
      const data = { path, generation: shown.generation, poses: poses.slice(from, from + MOST_POSES) };
      events.push({ type: "path.extended", cause: shown.published.seq, data });
    }
  }
  return events;
}

function byImage(path: PathState | undefined, generation: number): Map<string, PathPose> {
  if (path?.generation !== generation) return new Map();
  return new Map(path.poses.map((each) => [each.image, each]));
}

function samePose(a: PathPose["pose"], b: PathPose["pose"]): boolean {
  return (
    a.rotation.every((value, i) => value === b.rotation[i]) &&
    a.translation.every((value, i) => value === b.translation[i])
  );
}
