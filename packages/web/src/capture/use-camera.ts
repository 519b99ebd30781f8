/** The camera in the viewfinder for as long as a component is mounted; opened anew when another use needs another size. */
import { type RefObject, useCallback, useEffect, useState } from "react";
import { type CameraProblem, type CameraUse, cameraObstacle, openCamera, openProblem } from "./camera.ts";

export type CameraState = {
  /** With a picture: photos can be taken. */
  readonly stream?: MediaStream;
  readonly problem?: CameraProblem;
  /** Asks for it once more. */
  retry(): void;
};

export function useCamera(viewfinder: RefObject<HTMLVideoElement | null>, use: CameraUse): CameraState {
  const [state, setState] = useState<Omit<CameraState, "retry"> & { use?: CameraUse }>({});
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    void attempt;
    const obstacle = cameraObstacle();
    if (obstacle) {
      setState({ use, problem: obstacle });
      return;
    }
    const stop = new AbortController();
    let stream: MediaStream | undefined;
    const open = async () => {
      stream = await openCamera(use);
      if (stop.signal.aborted) return end();
      const element = viewfinder.current;
      if (!element) return;
      element.srcObject = stream;
      // A phone that calls or sleeps takes the camera away; it is asked for again when the page is seen again.
      stream.getVideoTracks()[0]?.addEventListener("ended", again, { signal: stop.signal });
      await element.play();
      if (!stop.signal.aborted) setState({ use, stream });
    };
    const again = () => {
      if (document.visibilityState === "visible") setAttempt((n) => n + 1);
      else
        document.addEventListener("visibilitychange", () => setAttempt((n) => n + 1), {
          once: true,
          signal: stop.signal,
        });
    };
    const end = () => {
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
    open().catch((error: unknown) => {
      if (!stop.signal.aborted) setState({ use, problem: openProblem(error) });
    });
    return () => {
      stop.abort();
      end();
      setState({});
    };
  }, [viewfinder, use, attempt]);

  const retry = useCallback(() => setAttempt((n) => n + 1), []);
  // In the moment between two uses the old one's camera is no longer there to be used.
  return { ...(state.use === use && state), retry };
}
