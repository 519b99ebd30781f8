/** The camera of the phone: opened, photographed with, and said why not. */

export type CameraProblem = {
  readonly title: string;
  readonly text: string;
  /** The page came by plain HTTP. */
  readonly insecure?: true;
};

/** Why no page that came this way gets a camera; `undefined`: it may ask for one. */
export function cameraObstacle(): CameraProblem | undefined {
  if (!isSecureContext) {
    return {
      title: "The camera needs HTTPS",
      text: "Browsers lend the camera only to pages that came by HTTPS, and this one came by plain HTTP. The round button takes photos with the phone's own app meanwhile: they are sent just the same.",
      insecure: true,
    };
  }
  if (typeof navigator.mediaDevices?.getUserMedia !== "function") {
    return {
      title: "No camera here",
      text: "This browser lends no camera to pages. The round button takes photos with the phone's own app.",
    };
  }
  return undefined;
}

/** Ideals, not demands: a camera that has less gives what it has. */
const PHOTO_VIDEO = { width: { ideal: 3840 }, height: { ideal: 2160 } };
/** What every encoder takes in real time, and what the baseline profile allows at level 3.1. */
const STREAM_VIDEO = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };

export type CameraUse = "photo" | "video";

/** @throws {DOMException} as `getUserMedia` */
export function openCamera(use: CameraUse): Promise<MediaStream> {
  const wanted = use === "photo" ? PHOTO_VIDEO : STREAM_VIDEO;
  return navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { facingMode: { ideal: "environment" }, ...wanted },
  });
}

/** What to do about a camera that did not open. */
export function openProblem(error: unknown): CameraProblem {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") {
    return {
      title: "The camera is not allowed",
      text: "Allow it for this page: tap the sign beside the address, then Permissions, then Camera. The round button takes photos with the phone's own app meanwhile.",
    };
  }
  if (name === "NotReadableError") {
    return {
      title: "The camera is taken",
      text: "Another app uses it. Close that one, then try again.",
    };
  }
  return {
    title: "No camera found",
    text: "This device has none that pages can use. The round button takes photos with the phone's own app, or chooses some.",
  };
}

/** A still camera that does not answer is not waited for: the picture on the screen is as good as many. */
const STILL_MS = 4000;
const JPEG_QUALITY = 0.93;

/** One photo in the camera's full resolution where the browser can do that, else what the viewfinder shows. */
export async function takePhoto(stream: MediaStream, viewfinder: HTMLVideoElement): Promise<Blob> {
  const [track] = stream.getVideoTracks();
  if (track && "ImageCapture" in globalThis) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const late = new Promise<undefined>((resolve) => {
        timer = setTimeout(resolve, STILL_MS);
      });
      const still = await Promise.race([new ImageCapture(track).takePhoto(), late]);
      if (still && still.size > 0) return still;
    } catch {
      // Some cameras offer this and fail: see below.
    } finally {
      clearTimeout(timer);
    }
  }
  return frameAsJpeg(viewfinder);
}

async function frameAsJpeg(viewfinder: HTMLVideoElement): Promise<Blob> {
  const { videoWidth, videoHeight } = viewfinder;
  if (videoWidth === 0) throw new Error("The camera shows nothing yet. Try again in a moment.");
  return drawn(viewfinder, videoWidth, videoHeight, JPEG_QUALITY);
}

const THUMBNAIL_PX = 96;

/** Square, cut from the middle; `undefined` where the browser cannot read the photo (HEIC in most). */
export async function thumbnailOf(photo: Blob): Promise<Blob | undefined> {
  try {
    const image = await createImageBitmap(photo);
    const side = Math.min(image.width, image.height);
    const [x, y] = [(image.width - side) / 2, (image.height - side) / 2];
    const square = await createImageBitmap(image, x, y, side, side);
    image.close();
    const thumbnail = await drawn(square, THUMBNAIL_PX, THUMBNAIL_PX, 0.7);
    square.close();
    return thumbnail;
  } catch {
    return undefined;
  }
}

function drawn(source: CanvasImageSource, width: number, height: number, quality: number): Promise<Blob> {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d")?.drawImage(source, 0, 0, width, height);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("The browser made no JPEG."))),
      "image/jpeg",
      quality,
    );
  });
}
