/** Line icons, 24 × 24. */
import type { JSX } from "react";

const PATHS = {
  box: "M12 3 4 7.500v9L12 21l8-4.500v-9L12 3Zm-8 4.500 8 4.500 8-4.500M12 12v9",
  camera:
    "M4 8h3l2-3h6l2 3h3a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1Zm8 3a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7Z",
  close: "M6 6l12 12M18 6 6 18",
  cloud:
    "M5 8h.010M9 5h.010M14 6h.010M18 9h.010M7 12h.010M12 10h.010M16 13h.010M5 16h.010M10 15h.010M13 18h.010M18 17h.010",
  download: "M12 4v11m-4-4 4 4 4-4M4 19h16",
  frame: "M4 9V5a1 1 0 0 1 1-1h4m6 0h4a1 1 0 0 1 1 1v4m0 6v4a1 1 0 0 1-1 1h-4m-6 0H5a1 1 0 0 1-1-1v-4",
  history: "M4 5v5h5M4.600 10A8 8 0 1 1 4 13.500M12 8v4.500l3 2",
  images:
    "M7 4h13a1 1 0 0 1 1 1v11M4 8h12a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1Zm-1 10 4-4 3 3 2-2 5 5",
  people:
    "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6Zm-6 8c0-3 2.500-5 6-5s6 2 6 5m1-13.800a3 3 0 0 1 0 5.600m2 3.500c1.900.7 3 2.400 3 4.700",
  phone: "M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1Zm3 15h2",
  play: "M8 5v14l11-7Z",
  plus: "M12 5v14M5 12h14",
  record: "M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10Z",
  report: "M5 20V10m5 10V4m5 16v-7m5 7V8",
  share:
    "M18 8a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5ZM6 14.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5ZM18 21a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5ZM8.200 10.800l7.600-4.200m-7.600 6.700 7.600 4.200",
  sliders: "M4 7h9m4 0h3M4 17h3m4 0h9M15 5v4M9 15v4",
  trash: "M5 7h14M10 4h4M7 7l1 13h8l1-13M10 11v5m4-5v5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** Stones on stones. */
export function Mark(): JSX.Element {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect x="4" y="22" width="24" height="6.500" rx="3.200" />
      <rect x="8" y="14" width="17" height="6" rx="3" opacity="0.85" />
      <rect x="10.500" y="7.600" width="10.500" height="4.600" rx="2.300" opacity="0.7" />
      <circle cx="16" cy="4" r="2.100" opacity="0.6" />
    </svg>
  );
}
