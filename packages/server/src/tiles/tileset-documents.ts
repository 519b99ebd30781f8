/** The JSONs of a space's tileset as text: built once for a state of the log, for the root is asked for again and again. */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { branchTileset, type Core, openTiledLayers, rootTileset, type Space, type TiledLayer } from "@cairn/core";
import { CairnError, type Seq } from "@cairn/protocol";

export class JsonDocument {
  readonly text: string;
  readonly etag: string;
  #packed: Promise<Buffer> | undefined;

  constructor(value: object) {
    this.text = JSON.stringify(value);
    this.etag = `"${createHash("sha256").update(this.text).digest("hex").slice(0, 32)}"`;
  }

  gzipped(): Promise<Buffer> {
    this.#packed ??= promisify(gzip)(this.text);
    return this.#packed;
  }
}

type Known = { readonly head: Seq; readonly layers: readonly TiledLayer[]; readonly root: JsonDocument };

export class TilesetDocuments {
  readonly #core: Core;
  readonly #maxTiles: { maxTiles?: number };
  readonly #known = new WeakMap<Space, Promise<Known>>();

  /** @param maxTiles how many tiles one JSON names, about */
  constructor(core: Core, maxTiles?: number) {
    this.#core = core;
    this.#maxTiles = maxTiles === undefined ? {} : { maxTiles };
  }

  async root(space: Space): Promise<JsonDocument> {
    return (await this.#open(space)).root;
  }

  /** @throws {CairnError} `tile.gone` when no shown layer has such a node */
  async branch(space: Space, number: number, node: string): Promise<JsonDocument> {
    const { layers } = await this.#open(space);
    const tiled = layers.find(({ layer }) => layer.layer === number);
    if (!tiled) throw new CairnError("tile.gone", { layer: number });
    return new JsonDocument(branchTileset(tiled, node));
  }

  async #open(space: Space): Promise<Known> {
    const { head } = space.log;
    const last = this.#known.get(space);
    // One after the other: those who come while it is built share it.
    const next = (last ?? Promise.resolve(undefined))
      .catch(() => undefined)
      .then(async (known) => {
        return known && known.head >= head ? known : this.#build(space);
      });
    this.#known.set(space, next);
    return next;
  }

  async #build(space: Space): Promise<Known> {
    const { head } = space.log;
    const layers = await openTiledLayers({ space, tables: this.#core.layers.tables, ...this.#maxTiles });
    return {
      head,
      layers,
      root: new JsonDocument(rootTileset(space.log.snapshot().state, layers, this.#maxTiles.maxTiles)),
    };
  }
}
