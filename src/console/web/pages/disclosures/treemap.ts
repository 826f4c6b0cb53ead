/**
 * Squarified treemaps (Bruls, Huizing, van Wijk, 2000): rectangles whose areas are as the weights, as square as they can
 * be. Pure.
 */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A box for each weight, in their order, that together fill `into`; weights of nothing get an empty box. */
export function squarify(weights: readonly number[], into: Box): readonly Box[] {
  const total = weights.reduce((sum, weight) => sum + Math.max(0, weight), 0);
  const area = into.width * into.height;
  const boxes = weights.map((): Box => ({ x: into.x, y: into.y, width: 0, height: 0 }));
  if (total <= 0 || area <= 0) return boxes;
  const order = weights
    .map((weight, at) => ({ at, area: (Math.max(0, weight) / total) * area }))
    .filter((one) => one.area > 0)
    .sort((a, b) => b.area - a.area);
  let rest = into;
  for (let begin = 0; begin < order.length; ) {
    const side = Math.min(rest.width, rest.height);
    let end = begin + 1;
    while (
      end < order.length &&
      worst(order.slice(begin, end + 1), side) <= worst(order.slice(begin, end), side)
    )
      end++;
    const row = order.slice(begin, end);
    const depth = row.reduce((sum, one) => sum + one.area, 0) / side;
    const isUpright = rest.width >= rest.height;
    let along = isUpright ? rest.y : rest.x;
    for (const { at, area: own } of row) {
      const length = own / depth;
      boxes[at] = isUpright
        ? { x: rest.x, y: along, width: depth, height: length }
        : { x: along, y: rest.y, width: length, height: depth };
      along += length;
    }
    rest = isUpright
      ? { x: rest.x + depth, y: rest.y, width: Math.max(0, rest.width - depth), height: rest.height }
      : { x: rest.x, y: rest.y + depth, width: rest.width, height: Math.max(0, rest.height - depth) };
    begin = end;
  }
  return boxes;
}

/** The least square of a row's boxes, as the longer side over the shorter. */
function worst(row: readonly { readonly area: number }[], side: number): number {
  const sum = row.reduce((all, { area }) => all + area, 0);
  const [most, least] = [Math.max(...row.map(({ area }) => area)), Math.min(...row.map(({ area }) => area))];
  return Math.max((side * side * most) / (sum * sum), (sum * sum) / (side * side * least));
}
