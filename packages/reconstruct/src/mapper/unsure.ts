/**
 * Which pairs of photos are worth a look from the side. It costs about as much as taking in two or three photos; so it is
 * had for photos that nothing has placed, and in a small scene for those that hold on to it by little: what two photos
 * from far apart share by chance is much of what they share at all (castle-P19 at 1000 px, 42 and 54 degrees apart: 45 and 47
 * matches kept, 74 and 77 degrees off; with a look from the side 99 and 100, 2 and 1 degrees off).
 */
import type { Scene } from "./scene.ts";

/** Two views, `a < b`. */
export type Tie = { readonly a: number; readonly b: number };

export type Known = {
  /** Features that look alike; undefined of photos that were not compared. */
  likeness(tie: Tie): number | undefined;
  /** Matches that geometry bears out. */
  kept(tie: Tie): number;
  /** Whether it was looked at already. */
  asked(tie: Tie): boolean;
  /** Whether the picture is good enough, and nothing else keeps it from having a place. */
  usable(view: number): boolean;
};

/** Photos without a place in one rebuild, and with how many others each. */
const LONE_VIEWS = 3;
const PARTNERS = 5;
/** A photo of some other place is not asked about for ever. */
const MOST_ASKED = 10;
/** Beyond, photos hold each other. */
const SMALL_SCENE = 16;
/** A photo that shares so much with two others of the scene is held well. */
const HELD_WELL = 100;
const WEAK_VIEWS = 4;
const WEAK_PARTNERS = 3;

export function unsureTies(scene: Scene, known: Known): Tie[] {
  const views = scene.views.map(({ index }) => index).filter(known.usable);
  const chosen = new Map<string, Tie>();
  for (const tie of [...lone(scene, views, known), ...weak(scene, views, known)]) {
    chosen.set(`${tie.a} ${tie.b}`, tie);
  }
  return [...chosen.values()];
}

function lone(scene: Scene, views: readonly number[], { likeness, asked }: Known): Tie[] {
  const posed = (tie: Tie, view: number) => (scene.isPosed(tie.a === view ? tie.b : tie.a) ? 1 : 0);
  const found: Tie[][] = [];
  for (const view of views) {
    if (scene.isPosed(view)) continue;
    const ties = tiesOf(view, views);
    const left = MOST_ASKED - ties.filter(asked).length;
    const partners = ties
      .filter((tie) => !asked(tie) && likeness(tie) !== undefined)
      // Only those that have a place can give it one.
      .sort((p, q) => posed(q, view) - posed(p, view) || likeness(q)! - likeness(p)!)
      .slice(0, Math.max(0, Math.min(PARTNERS, left)));
    if (partners.length > 0) found.push(partners);
  }
  return found.slice(0, LONE_VIEWS).flat();
}

function weak(scene: Scene, views: readonly number[], { likeness, kept, asked }: Known): Tie[] {
  if (scene.posed.length > SMALL_SCENE) return [];
  const posed = views.filter((view) => scene.isPosed(view));
  const alike = (tie: Tie) => likeness(tie) ?? -1;
  return posed
    .map((view) => {
      const ties = tiesOf(view, posed).sort((p, q) => kept(q) - kept(p) || alike(q) - alike(p));
      const compared = ties.filter((tie) => likeness(tie) !== undefined);
      return { hold: ties.length > 1 ? kept(ties[1]) : 0, ties: compared.slice(0, WEAK_PARTNERS) };
    })
    .filter(({ hold }) => hold < HELD_WELL)
    .sort((p, q) => p.hold - q.hold)
    .slice(0, WEAK_VIEWS)
    .flatMap(({ ties }) => ties.filter((tie) => !asked(tie)));
}

function tiesOf(view: number, others: readonly number[]): Tie[] {
  return others
    .filter((other) => other !== view)
    .map((other) => ({ a: Math.min(view, other), b: Math.max(view, other) }));
}

/** Whether a tie would join a photo to a scene in which no other photo of those that have a place knows it. */
export function isHeldByOne(scene: Scene, { a, b }: Tie, ties: readonly Tie[]): boolean {
  if (scene.isPosed(a) === scene.isPosed(b)) return false;
  const lone = scene.isPosed(a) ? b : a;
  const holding = ties.flatMap((tie) => (tie.a === lone ? [tie.b] : tie.b === lone ? [tie.a] : []));
  return new Set(holding.filter((view) => scene.isPosed(view))).size < 2;
}
