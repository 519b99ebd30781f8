/**
 * What goes to one client next: what is fresh where it looks, then the backlog in the order in which its picture needs
 * it, as far as its points go. Of the order only a look-ahead is kept; it is chosen anew when the client's turn comes.
 * Rules: LIVE-16, LIVE-17.
 */
import { FINE_PX, type LayerView, layerView, nodesToShow, spacingPx, type TableNode } from "@cairn/cloud";
import type { Space } from "@cairn/core";
import type { SpaceState, View } from "@cairn/protocol";
import type { FreshPack } from "./fresh-pack.ts";
import { markParts, type Piece, type Sending, type Wanted } from "./sending.ts";
import type { Turns } from "./turns.ts";

/** Parts chosen ahead. */
const LOOK_AHEAD = 256;

export type NextPartsOptions = {
  space: Space;
  turns: Turns;
  /** What the client was sent, by layer; borrowed. */
  sendings: ReadonlyMap<number, Sending>;
  /** Told when there may be more to take. */
  onMore(): void;
};

export class NextParts {
  readonly #options: NextPartsOptions;
  #view: View | undefined;
  #fresh: Wanted[] = [];
  #ahead: Wanted[] = [];
  /** There may be more than what is ahead. */
  #stale = false;
  #looking = false;
  /** Nodes finer than this on the screen come after what is ahead, or not at all. */
  #cutPx = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(options: NextPartsOptions) {
    this.#options = options;
  }

  /** Undefined until the client has said what it sees: nothing is chosen before. */
  get view(): View | undefined {
    return this.#view;
  }

  set view(view: View) {
    this.#view = view;
  }

  /** It waits for its turn to choose. */
  get looking(): boolean {
    return this.#looking;
  }

  /** Something fresh waits for its turn. */
  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  close(): void {
    this.#closed = true;
    this.forget();
  }

  /** What was chosen is not wanted any more. */
  forget(): void {
    this.#fresh = [];
    this.#ahead = [];
  }

  /** The next part, unless the client has it by now; `undefined`: there is none, or it is still to be chosen. */
  take(): Piece | undefined {
    for (;;) {
      const wanted = this.#fresh.shift() ?? this.#ahead.shift();
      if (!wanted) {
        if (this.#stale) this.#look();
        if (this.#ahead.length === 0) return undefined;
        continue;
      }
      const { sending, node, index } = wanted;
      if (!sending.shown || sending.counts.get(node.ordinal) !== index) continue;
      const { blob, start, end, hash } = node.parts[index]!;
      if (!this.#sentElsewhere(sending, hash)) return { sending, blob, start, end, wanted };
      markParts(sending, node, index + 1);
    }
  }

  /** What a pack brought and the client sees goes next, where it has what came before. */
  freshen(sending: Sending, pack: number, touched: readonly TableNode[] | undefined): void {
    const view = this.#viewOf(sending.layer);
    for (const node of touched ?? []) {
      const index = node.parts.length - 1;
      const px = spacingPx(node, view);
      const upToDate = sending.live.packOf(node.parts[index]!) === pack && this.#reaches(sending, node, index);
      if (px >= this.#cutPx && upToDate && this.#fresh.length < LOOK_AHEAD) this.#fresh.push({ sending, node, index });
      else if (px >= FINE_PX && (!upToDate || px >= this.#cutPx)) this.#stale = true;
    }
    if (!touched) this.#stale = true;
  }

  /**
   * Which parts of a pack the client does not see, as `freshBytes` takes it; `undefined` when it lacks what comes before
   * one of the others, has its bytes already, or has no credit for them. Asked of every client for every pack.
   */
  unseen(sending: Sending, pack: FreshPack, creditBytes: number, state: SpaceState): string | undefined {
    const view = this.#viewOf(pack.layer, state);
    let unseen = "";
    let leftBytes = creditBytes - pack.headBytes;
    for (let i = 0; i < pack.parts.length; i++) {
      const { node, index, hash, sizeBytes } = pack.parts[i]!;
      const px = spacingPx(node, view);
      const upToDate = sending.counts.get(node.ordinal) === index;
      if (px >= FINE_PX && !upToDate) return undefined;
      if (px < this.#cutPx) unseen += `${i} `;
      else if (!upToDate || leftBytes <= 0 || this.#sentElsewhere(sending, hash)) return undefined;
      else leftBytes -= sizeBytes;
    }
    return unseen;
  }

  /** Whether the client sees all of a pack. */
  sees({ layer, parts }: FreshPack, state: SpaceState): boolean {
    const view = this.#viewOf(layer, state);
    return parts.every(({ node }) => spacingPx(node, view) >= this.#cutPx);
  }

  /** Chooses anew when it is this client's turn; what was chosen goes on meanwhile. */
  lookAgain(): void {
    this.#stale = true;
    this.#ahead.length = Math.min(this.#ahead.length, LOOK_AHEAD / 8);
    this.#look();
    this.#options.onMore();
  }

  #look(): void {
    if (this.#looking || this.#closed) return;
    this.#looking = true;
    this.#options.turns.take(() => {
      this.#looking = false;
      if (this.#closed || !this.#view) return;
      this.#choose();
      this.#options.onMore();
    });
  }

  /** The next parts of the backlog, best first over all layers, as far as the client's points go. */
  #choose(): void {
    const budget = this.#view?.points ?? Number.POSITIVE_INFINITY;
    const lanes = [...this.#options.sendings.values()]
      .filter(({ shown }) => shown)
      .map((sending) => {
        const nodes = nodesToShow(sending.live.table, this.#viewOf(sending.layer));
        return { sending, nodes, next: nodes.next() };
      });
    this.#ahead = [];
    this.#stale = false;
    let points = 0;
    for (;;) {
      let best: (typeof lanes)[number] | undefined;
      for (const lane of lanes) if (!lane.next.done && !(best && pxOf(best) >= pxOf(lane))) best = lane;
      if (!best || best.next.done) break;
      const { node, px } = best.next.value;
      const { sending, nodes } = best;
      points += node.points;
      if (points > budget && points > node.points) {
        this.#cutPx = px;
        return;
      }
      for (let index = sending.counts.get(node.ordinal); index < node.parts.length; index++) {
        if (sending.live.packOf(node.parts[index]!) >= sending.known) break;
        this.#ahead.push({ sending, node, index });
        if (this.#ahead.length < LOOK_AHEAD) continue;
        this.#stale = true;
        this.#cutPx = px;
        return;
      }
      best.next = nodes.next();
    }
    this.#cutPx = FINE_PX;
  }

  /** The client has all parts before this one, or they go before it. */
  #reaches(sending: Sending, node: TableNode, index: number): boolean {
    if (sending.counts.get(node.ordinal) === index) return true;
    return this.#fresh.some((each) => each.node === node && each.sending === sending && each.index === index - 1);
  }

  #viewOf(layer: number, state = this.#options.space.log.snapshot().state): LayerView | undefined {
    const camera = this.#view?.camera;
    return camera && layerView(camera, state.layers[layer]);
  }

  /** The same bytes went for another layer, as when a rebuild left a place as it was. */
  #sentElsewhere(than: Sending, hash: string): boolean {
    const { sendings } = this.#options;
    if (sendings.size === 1) return false;
    for (const sending of sendings.values()) {
      const found = sending === than ? undefined : sending.live.find(hash);
      if (found && sending.counts.get(found.ordinal) > found.index) return true;
    }
    return false;
  }
}

function pxOf({ next }: { next: IteratorResult<{ px: number }> }): number {
  return next.done ? Number.NEGATIVE_INFINITY : next.value.px;
}
