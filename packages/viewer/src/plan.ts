/**
 * What is drawn and what is fetched, for one view: nodes of all layers by how far apart their points are on the screen,
 * as many as the budget holds. A parent always comes before its children.
 */
import { type LayerTable, type LayerView, nodesToShow, type TableNode } from "@cairn/cloud";

type PlanLayer<Layer> = {
  readonly layer: Layer;
  readonly table: LayerTable;
  readonly view: LayerView | undefined;
};
type PlannedNode<Layer> = { readonly layer: Layer; readonly node: TableNode; readonly px: number };

export type Plan<Layer> = {
  readonly nodes: readonly PlannedNode<Layer>[];
  /** Of all its nodes. */
  readonly points: number;
  /** More would be worth drawing than the budget allows. */
  readonly short: boolean;
};

/** @param finePx points closer than this on the screen look closed */
export function planNodes<Layer>(layers: readonly PlanLayer<Layer>[], budget: number, finePx?: number): Plan<Layer> {
  const sources = layers
    .map(({ layer, table, view }) => {
      const nodes = nodesToShow(table, view, finePx);
      return { layer, nodes, head: nodes.next() };
    })
    .filter(({ head }) => !head.done);
  const planned: PlannedNode<Layer>[] = [];
  let points = 0;
  while (sources.length > 0) {
    let best = sources[0]!;
    for (const source of sources) if (pxOf(source.head) > pxOf(best.head)) best = source;
    if (best.head.done) break;
    const { node, px } = best.head.value;
    if (points + node.points > budget && planned.length > 0) return { nodes: planned, points, short: true };
    planned.push({ layer: best.layer, node, px });
    points += node.points;
    best.head = best.nodes.next();
    if (best.head.done) sources.splice(sources.indexOf(best), 1);
  }
  return { nodes: planned, points, short: false };
}

function pxOf(head: IteratorResult<{ px: number }, void>): number {
  return head.done ? -1 : head.value.px;
}
