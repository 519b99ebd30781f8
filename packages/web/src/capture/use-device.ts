/** The phone as a device of the space: one socket, its motion, and how fast it turns. */
import { useCallback, useEffect, useRef, useState } from "react";
import type { Site } from "../site.ts";
import { type DeviceLine, openDeviceLine } from "./device-line.ts";
import { type MotionAccess, motionAccess, sendMotion } from "./motion.ts";
import { streamSource } from "./stream-source.ts";

/** Turning is shown at once when it grows, and forgotten this slowly, so that the advice can be read. */
const CALM_MS = 1500;
const NEWS_RAD_PER_S = 0.3;

export type Device = {
  readonly line?: DeviceLine;
  readonly motion: MotionAccess;
  /** The most of the last moment, rad/s. */
  readonly turning: number;
  /** Photos only: the token that one came with does not allow more. */
  readonly refused: boolean;
  /** What the server said was wrong. */
  readonly told?: string;
  /** In a tap. */
  askMotion(): void;
};

export const SOURCE = streamSource();

export function useDevice({ url, token }: Pick<Site, "url" | "token">, space: string, wanted: boolean): Device {
  const [line, setLine] = useState<DeviceLine>();
  const [told, setTold] = useState<string>();
  const [refused, setRefused] = useState(false);
  const [motion, setMotion] = useState<MotionAccess>("off");
  const [turning, setTurning] = useState(0);
  const shown = useRef(0);

  useEffect(() => {
    if (!wanted) return;
    const opened = openDeviceLine(
      { url, token, source: SOURCE, space },
      { onTold: setTold, onRefused: () => setRefused(true) },
    );
    setLine(opened);
    return () => {
      opened.close();
      setLine(undefined);
    };
  }, [url, token, space, wanted]);

  const askMotion = useCallback(() => void motionAccess().then(setMotion), []);
  useEffect(askMotion, [askMotion]);

  useEffect(() => {
    if (!line || motion !== "on") return;
    const stop = new AbortController();
    let calm: ReturnType<typeof setTimeout> | undefined;
    const show = (radPerS: number) => {
      shown.current = radPerS;
      setTurning(radPerS);
    };
    const onTurning = (radPerS: number) => {
      if (radPerS < shown.current + NEWS_RAD_PER_S) return;
      show(radPerS);
      clearTimeout(calm);
      calm = setTimeout(() => show(0), CALM_MS);
    };
    sendMotion(line, onTurning, stop.signal);
    return () => {
      clearTimeout(calm);
      stop.abort();
    };
  }, [line, motion]);

  return { ...(line && { line }), motion, turning, refused, ...(told && { told }), askMotion };
}
