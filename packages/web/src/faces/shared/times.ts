/** Time as people say it, and a clock that ticks. */
import { useEffect, useState } from "react";

const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

/** `just now` under ten seconds, then whole units, as the server says it. */
export function timeAgo(ageSeconds: number): string {
  if (ageSeconds < 10) return "just now";
  const [unit, length] = UNITS.find(([, seconds]) => ageSeconds >= seconds) ?? UNITS[3];
  const n = Math.floor(ageSeconds / length);
  return `${n} ${unit}${n === 1 ? "" : "s"} ago`;
}

/** "6 days", "4 minutes": how long something still lasts; never under a second. */
export function timeLeft(seconds: number): string {
  const [unit, length] = UNITS.find(([, each]) => seconds >= each) ?? UNITS[3];
  const n = Math.max(1, Math.floor(seconds / length));
  return `${n} ${unit}${n === 1 ? "" : "s"}`;
}

const clock = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });

export function timeOfDay(epochSeconds: number): string {
  return clock.format(epochSeconds * 1000);
}

/** Milliseconds since 1970, anew every `everyMs`. */
export function useNow(everyMs = 1000): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return nowMs;
}
