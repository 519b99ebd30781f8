/** Files from the browser's own dialog, which on a phone can be its camera. */
import type { JSX, Ref } from "react";

type PhotoInputProps = {
  ref: Ref<HTMLInputElement>;
  label: string;
  multiple?: boolean;
  /** Straight to the camera on the back. */
  capture?: "environment";
  onPhotos(photos: readonly File[]): Promise<void>;
};

export function PhotoInput({ ref, label, onPhotos, ...kind }: PhotoInputProps): JSX.Element {
  return (
    <input
      ref={ref}
      type="file"
      accept="image/*"
      hidden
      aria-label={label}
      {...kind}
      onChange={({ target }) => {
        void onPhotos([...(target.files ?? [])]);
        target.value = "";
      }}
    />
  );
}
