/**
 * Clients that have all of a layer are in step: the next pack goes to each of them whole, and what it brought is noted
 * here, once for all. A client's own books are brought up to date when something else happens to it. For a thousand
 * clients what is looked at is what is fetched from memory, and a step is one word of each.
 */
import type { FreshPack, FreshPart } from "./fresh-pack.ts";
import type { LiveTable } from "./live-tables.ts";

export class Step {
  readonly layer: number;
  /** The pack that the clients in this step are sent next, and the generation that it goes with. */
  readonly pack: number;
  readonly generation: number;
  /** What that pack brought, once it went. */
  #parts: readonly Pick<FreshPart, "node" | "index">[] = [];
  #next: Step | undefined;

  private constructor(layer: number, pack: number, generation: number) {
    this.layer = layer;
    this.pack = pack;
    this.generation = generation;
  }

  /** The step in which those are that have all that came before a pack; one for each table. */
  static before({ live, layer, pack }: FreshPack, generation: number): Step {
    const { step } = live;
    if (step?.pack === pack && step.generation === generation) return step;
    return new Step(layer, pack, generation);
  }

  get parts(): readonly Pick<FreshPart, "node" | "index">[] {
    return this.#parts;
  }

  get next(): Step | undefined {
    return this.#next;
  }

  /** The pack goes: the step in which those are who were sent it. */
  take(live: LiveTable, parts: readonly FreshPart[]): Step {
    if (this.#next) return this.#next;
    // Nodes and places only: the bytes are let go with the turn.
    this.#parts = parts.map(({ node, index }) => ({ node, index }));
    this.#next = new Step(this.layer, this.pack + 1, this.generation);
    live.step = this.#next;
    return this.#next;
  }
}
