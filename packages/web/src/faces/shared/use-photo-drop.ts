/** The photos of a page: dropped, pasted or chosen they go to its work, and what of a drop is left out is to be said. */
import { useCallback, useState } from "react";
import { useDrop } from "../../drop.tsx";

type PhotoDrop = {
  readonly onFiles: (files: File[], leftOut?: string) => void;
  /** Files are over the window just now. */
  readonly over: boolean;
  readonly leftOut: string | undefined;
};

export function usePhotoDrop(work: { add(files: readonly File[]): void } | undefined): PhotoDrop {
  const [leftOut, setLeftOut] = useState<string>();
  const onFiles = useCallback(
    (files: File[], notAdded?: string) => {
      work?.add(files);
      setLeftOut(notAdded);
    },
    [work],
  );
  return { onFiles, over: useDrop(onFiles), leftOut };
}
