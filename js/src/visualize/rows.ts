import type { Index } from "./pack";

/** What stands in the tree now, line by line. */
export interface Rows {
  /** The node of each line, ascending. */
  nodes: Int32Array;
  /** Place of each line among its siblings that are shown, from 1. */
  place: Int32Array;
  /** By node + 1: how many of its children are shown; first those at the top. */
  children: Int32Array;
  /** Seconds and tokens of the lines that have most. */
  longest: number;
  most: number;
}

/** Beside 1 for a node that matches: something below it does. */
const ABOVE = 2;

/** Which nodes are shown if all are open: those that match, and those above them. */
export function kept(index: Index, matching: Uint8Array): Uint8Array {
  const keep = matching.slice();
  for (let node = index.nodes - 1; node >= 0; node--) {
    const parent = index.parent[node] as number;
    if (keep[node] && parent >= 0) keep[parent] = (keep[parent] as number) | ABOVE;
  }
  return keep;
}

/** One pass over what is open. */
export function visibleRows(index: Index, open: Uint8Array, keep: Uint8Array | null): Rows {
  const { size, parent, duration, tokens } = index;
  const nodes = new Int32Array(index.nodes);
  const place = new Int32Array(index.nodes);
  const children = new Int32Array(index.nodes + 1);
  let longest = 0;
  let most = 0;
  let count = 0;
  for (let node = 0; node < index.nodes; ) {
    if (keep && !keep[node]) {
      node += size[node] as number;
      continue;
    }
    const above = (parent[node] as number) + 1;
    const among = (children[above] as number) + 1;
    children[above] = among;
    nodes[count] = node;
    place[count] = among;
    count++;
    const seconds = duration[node] as number;
    if (seconds > longest) longest = seconds;
    const used = tokens[node] as number;
    if (used > most) most = used;
    node += open[node] ? 1 : (size[node] as number);
  }
  return { nodes: nodes.subarray(0, count), place: place.subarray(0, count), children, longest, most };
}

/** The line of a node, or -1 when it is not shown. */
export function rowOf(rows: Rows, node: number): number {
  let low = 0;
  let high = rows.nodes.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = rows.nodes[middle] as number;
    if (found === node) return middle;
    if (found < node) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Whether a node has something below it that could be shown. */
export function hasChildren(index: Index, keep: Uint8Array | null, node: number): boolean {
  return keep ? ((keep[node] as number) & ABOVE) !== 0 : (index.size[node] as number) > 1;
}
