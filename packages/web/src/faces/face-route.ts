/** Which face's page is asked for: by the folder it was served from, or by what the server wrote into it. */

const FACE_PAGES = ["heritage", "depth", "meshes", "imagetools"] as const;
export type FacePageName = (typeof FACE_PAGES)[number];

/** `undefined`: Cairn's own start page. @param named face of a listener that is tied to one */
export function facePageOf(pathname: string, named: string | undefined): FacePageName | undefined {
  const folder = pathname
    .replace(/\/index\.html$/, "/")
    .replace(/\/+$/, "")
    .split("/")
    .at(-1);
  return FACE_PAGES.find((face) => face === folder) ?? FACE_PAGES.find((face) => face === named);
}

/** What the server named: a listener of one face serves its page from the root. */
export function namedFace(): string | undefined {
  return document.querySelector<HTMLMetaElement>('meta[name="cairn-face"]')?.content;
}
