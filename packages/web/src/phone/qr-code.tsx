/** A code to scan, drawn from its squares: dark on light, with the quiet zone of the standard. */
import { create } from "qrcode";
import { type JSX, useMemo } from "react";

const QUIET = 4;

/** SVG path of the dark squares, a run at a time. @returns with the side of it all, in squares */
function codePath(text: string): { path: string; side: number } {
  const { size, data } = create(text, { errorCorrectionLevel: "M" }).modules;
  let path = "";
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      if (data[row * size + column] !== 1) continue;
      const from = column;
      while (column < size && data[row * size + column] === 1) column++;
      path += `M${from + QUIET} ${row + QUIET}h${column - from}v1h${from - column}z`;
    }
  }
  return { path, side: size + 2 * QUIET };
}

export function QrCode({ text, label }: { text: string; label: string }): JSX.Element {
  const { path, side } = useMemo(() => codePath(text), [text]);
  return (
    <svg className="qr-code" viewBox={`0 0 ${side} ${side}`} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect width={side} height={side} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
