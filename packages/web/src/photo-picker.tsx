/** The browser's own dialog for choosing photos. Hidden: a button opens it by `ref`. */
import type { JSX, RefObject } from "react";
import { ACCEPT } from "./files.ts";

type PhotoPickerProps = { ref: RefObject<HTMLInputElement | null>; accept?: string; onFiles(files: File[]): void };

export function PhotoPicker({ ref, accept = ACCEPT, onFiles }: PhotoPickerProps): JSX.Element {
  return (
    <input
      ref={ref}
      type="file"
      accept={accept}
      multiple
      hidden
      aria-label="Choose photos"
      onChange={({ target }) => {
        if (target.files?.length) onFiles([...target.files]);
        target.value = ""; // choosing the same files again is a change too
      }}
    />
  );
}
