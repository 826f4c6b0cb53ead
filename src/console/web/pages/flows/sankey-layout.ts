/** Where the diagram's nodes and ribbons lie. Pure: sizes in, shapes out; d3-sankey does the arithmetic. */
import { type SankeyLink, type SankeyNode, sankey } from "d3-sankey";
import type { FlowColumn, FlowLink, FlowNode } from "../../../api/flows.ts";
import { isVerdict, VERDICTS } from "../../parts/verdict.tsx";

export const COLUMNS = [
  "workspace",
  "agent",
  "class",
  "verdict",
  "destination",
  "jurisdiction",
] as const satisfies readonly FlowColumn[];
export type Measure = "requests" | "bytes";

export interface Place {
  readonly node: FlowNode;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Ribbon {
  readonly link: FlowLink;
  readonly path: string;
  readonly width: number;
}

export interface Layout {
  readonly places: readonly Place[];
  readonly ribbons: readonly Ribbon[];
  readonly width: number;
  readonly height: number;
  /** Where each column (or, set upright, each row) begins. */
  readonly columns: readonly number[];
}

interface Inner extends Pick<FlowNode, "id"> {
  readonly node: FlowNode;
  readonly column: number;
}
interface InnerLink {
  readonly link: FlowLink;
}
type LaidNode = SankeyNode<Inner, InnerLink>;
type LaidLink = SankeyLink<Inner, InnerLink>;

const THICK = 9;
/** Room behind the last column, for its names; under the last row. */
const LAST_COLUMN = 108;
const LAST_ROW = 18;
/** So that what is small can still be seen, and hit. */
const LEAST = 2;

const verdictRank = (verdict: string | undefined): number =>
  verdict !== undefined && isVerdict(verdict) ? VERDICTS.indexOf(verdict) : -1;

const rank = ({ node }: Inner, measure: Measure): number => {
  if (node.name === null) return Number.POSITIVE_INFINITY;
  const verdict = node.column === "verdict" ? verdictRank(node.name) : -1;
  return verdict >= 0 ? verdict : -node[measure];
};

/** A ribbon between two nodes, along x (or along y where it is upright), with its middle lines at both ends. */
function ribbonPath(
  from: readonly [number, number],
  to: readonly [number, number],
  isUpright: boolean,
): string {
  const [a, b] = from;
  const [c, d] = to;
  const middle = (a + c) / 2;
  return isUpright
    ? `M${b},${a}C${b},${middle} ${d},${middle} ${d},${c}`
    : `M${a},${b}C${middle},${b} ${middle},${d} ${c},${d}`;
}

export function layOut(
  nodes: readonly FlowNode[],
  links: readonly FlowLink[],
  measure: Measure,
  room: { readonly width: number; readonly height: number },
  isUpright: boolean,
): Layout {
  const along = isUpright ? room.height - LAST_ROW : room.width - LAST_COLUMN;
  const across = isUpright ? room.width : room.height;
  const most = Math.max(1, ...COLUMNS.map((column) => nodes.filter((node) => node.column === column).length));
  const graph = sankey<Inner, InnerLink>()
    .nodeId(({ id }) => id)
    .nodeAlign(({ column }) => column)
    .nodeWidth(THICK)
    .nodePadding(Math.min(isUpright ? 10 : 22, (across * 0.5) / most))
    .nodeSort((a, b) => rank(a, measure) - rank(b, measure) || (a.id < b.id ? -1 : 1))
    .linkSort((a, b) => {
      const [x, y] = [a, b].map((one) => [one.source, one.target] as const);
      const places = (end: unknown): number =>
        typeof end === "object" && end !== null ? ((end as LaidNode).y0 ?? 0) : 0; // d3 has put nodes in place of ids by now
      const by = (pair: readonly unknown[] | undefined, at: number): number => places(pair?.[at]);
      return (
        by(x, 1) + by(x, 0) - by(y, 1) - by(y, 0) || verdictRank(a.link.verdict) - verdictRank(b.link.verdict)
      );
    })
    .extent([
      [0, 0],
      [along, across],
    ])
    .iterations(1)({
    nodes: nodes.map((node) => ({ id: node.id, node, column: COLUMNS.indexOf(node.column) })),
    links: links.map((link) => ({
      link,
      source: link.source,
      target: link.target,
      value: Math.max(link[measure], 1e-6),
    })),
  });
  const places = graph.nodes.map((laid) => placeOf(laid, isUpright));
  return {
    places,
    ribbons: graph.links.map((laid) => ribbonOf(laid, isUpright)),
    width: room.width,
    height: room.height,
    columns: COLUMNS.map((_, at) => ((along - THICK) * at) / (COLUMNS.length - 1)),
  };
}

function placeOf(laid: LaidNode, isUpright: boolean): Place {
  const { x0 = 0, x1 = 0, y0 = 0, y1 = 0, node } = laid;
  const size = Math.max(LEAST, y1 - y0);
  return isUpright
    ? { node, x: y0, y: x0, width: size, height: x1 - x0 }
    : { node, x: x0, y: y0, width: x1 - x0, height: size };
}

function ribbonOf(laid: LaidLink, isUpright: boolean): Ribbon {
  const [source, target] = [laid.source, laid.target] as [LaidNode, LaidNode]; // d3 has put nodes in place of ids
  const { y0 = 0, y1 = 0, width = 0 } = laid;
  const path = ribbonPath([source.x1 ?? 0, y0], [target.x0 ?? 0, y1], isUpright);
  return { link: laid.link, path, width: Math.max(1, width) };
}
