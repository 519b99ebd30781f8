/** The whole window takes photos and clouds of points: by drop and by paste. */
import { type JSX, useEffect, useState } from "react";
import { filesOf, leftOutInWords } from "./files.ts";

/** @param leftOut what of it is not among the files, to be said; there may be no files at all */
type OnFiles = (files: File[], leftOut?: string) => void;

/** @returns files are over the window just now */
export function useDrop(onFiles: OnFiles): boolean {
  const [over, setOver] = useState(false);

  useEffect(() => {
    let depth = 0; // dragenter and dragleave come for every element on the way
    const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const stop = new AbortController();
    const on = <K extends keyof WindowEventMap>(name: K, listener: (event: WindowEventMap[K]) => void) =>
      addEventListener(name, listener, { signal: stop.signal });

    on("dragenter", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      depth++;
      setOver(true);
    });
    on("dragover", (event) => {
      if (holdsFiles(event)) event.preventDefault();
    });
    on("dragleave", (event) => {
      if (!holdsFiles(event)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    });
    on("drop", (event) => {
      depth = 0;
      setOver(false);
      if (!event.dataTransfer || !holdsFiles(event)) return;
      event.preventDefault();
      void filesOf(event.dataTransfer).then((found) => onFiles(found.files, leftOutInWords(found)));
    });
    on("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length > 0) onFiles(files);
    });
    return () => stop.abort();
  }, [onFiles]);

  return over;
}

type DropVeilProps = { visible: boolean; text?: string };

export function DropVeil({ visible, text = "Drop to add photos or a point cloud" }: DropVeilProps): JSX.Element {
  return (
    <div className={visible ? "veil shown" : "veil"} aria-hidden="true">
      <p>{text}</p>
    </div>
  );
}
