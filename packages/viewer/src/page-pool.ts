/**
 * Room for points in slabs of GPU memory, handed out in pages: a node takes a run of pages, and more when it grows.
 * Only says which; who owns the memory makes a slab when `slabs` rises. Bounded: there is never more than `maxSlabs`.
 */

/** Points of a page. Small, for a node's last page is half empty on average. */
export const PAGE_POINTS = 256;
export const SLAB_PAGES = 1024;
export const SLAB_POINTS = PAGE_POINTS * SLAB_PAGES;

/** Neighbouring pages of one slab. */
export type PageRun = { readonly slab: number; readonly first: number; pages: number };

export class PagePool {
  readonly maxSlabs: number;
  readonly #taken: Uint8Array[] = [];
  #free = 0;
  /** Where the last search ended: what is before it is mostly taken. */
  #hint = { slab: 0, page: 0 };

  constructor(maxSlabs: number) {
    this.maxSlabs = maxSlabs;
  }

  get slabs(): number {
    return this.#taken.length;
  }

  /** Pages that can still be had, with slabs that are not made yet. */
  get freePages(): number {
    return this.#free + (this.maxSlabs - this.#taken.length) * SLAB_PAGES;
  }

  get takenPages(): number {
    return this.#taken.length * SLAB_PAGES - this.#free;
  }

  /** In one run where there is one, else in the pieces there are; `undefined` when all of it does not fit. */
  take(pages: number): PageRun[] | undefined {
    if (pages > this.freePages) return undefined;
    const runs: PageRun[] = [];
    for (let left = pages; left > 0; ) {
      const run = this.#find(Math.min(left, SLAB_PAGES)) ?? this.#open() ?? this.#largest();
      run.pages = Math.min(run.pages, left);
      this.#taken[run.slab]!.fill(1, run.first, run.first + run.pages);
      this.#free -= run.pages;
      this.#hint = { slab: run.slab, page: run.first + run.pages };
      runs.push(run);
      left -= run.pages;
    }
    return runs;
  }

  /** Lengthens `run` in place by up to `pages`; returns by how many. */
  extend(run: PageRun, pages: number): number {
    const taken = this.#taken[run.slab]!;
    let more = 0;
    for (let page = run.first + run.pages; more < pages && page < SLAB_PAGES && !taken[page]; page++) {
      taken[page] = 1;
      more++;
    }
    run.pages += more;
    this.#free -= more;
    return more;
  }

  give(run: PageRun): void {
    this.#taken[run.slab]!.fill(0, run.first, run.first + run.pages);
    this.#free += run.pages;
    if (run.slab < this.#hint.slab) this.#hint = { slab: run.slab, page: run.first };
  }

  #find(pages: number): PageRun | undefined {
    for (let step = 0; step <= this.#taken.length; step++) {
      const slab = (this.#hint.slab + step) % Math.max(1, this.#taken.length);
      const taken = this.#taken[slab];
      if (!taken) return undefined;
      let length = 0;
      for (let page = step === 0 ? this.#hint.page : 0; page < SLAB_PAGES; page++) {
        length = taken[page] ? 0 : length + 1;
        if (length === pages) return { slab, first: page + 1 - pages, pages };
      }
    }
    return undefined;
  }

  #open(): PageRun | undefined {
    if (this.#taken.length >= this.maxSlabs) return undefined;
    this.#taken.push(new Uint8Array(SLAB_PAGES));
    this.#free += SLAB_PAGES;
    return { slab: this.#taken.length - 1, first: 0, pages: SLAB_PAGES };
  }

  #largest(): PageRun {
    let best: PageRun = { slab: 0, first: 0, pages: 0 };
    this.#taken.forEach((taken, slab) => {
      for (let page = 0, length = 0; page < SLAB_PAGES; page++) {
        length = taken[page] ? 0 : length + 1;
        if (length > best.pages) best = { slab, first: page + 1 - length, pages: length };
      }
    });
    return best;
  }
}
