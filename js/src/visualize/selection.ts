import type { Index } from "./pack";

/**
 * Positions of the messages of the selected nodes and of all below them, ascending. Where something is filtered, those
 * below that do not match are left out: what is not shown was not meant.
 */
export function positions(index: Index, selected: Uint8Array, matching: Uint8Array | null): number[] {
  const marked = new Uint8Array(index.messages);
  for (let node = 0; node < index.nodes; node++) {
    if (!selected[node]) continue;
    const end = node + (index.size[node] as number);
    for (let below = node; below < end; below++) {
      const message = index.message[below] as number;
      if (message >= 0 && (selected[below] || !matching || matching[below])) marked[message] = 1;
    }
    node = end - 1; // all of its tree was looked at
  }
  const found: number[] = [];
  marked.forEach((is, message) => {
    if (is) found.push(message);
  });
  return found;
}

/** The first node with a message from `node` on, itself included; what tells a node apart when numbers move. */
function firstMessage(index: Index, node: number): number {
  const end = node + (index.size[node] as number);
  for (let below = node; below < end; below++) {
    const message = index.message[below] as number;
    if (message >= 0) return message;
  }
  return -1;
}

const identity = (index: Index, node: number) => firstMessage(index, node) * 8 + (index.kind[node] as number);

/**
 * Where each old node from `start` on is in the new index, -1 where it is gone: by its first message and its kind. Nodes
 * before `start` stay where they are.
 */
export function moved(before: Index, after: Index, start: number): (node: number) => number {
  const places = new Map<number, number>();
  for (let node = after.nodes - 1; node >= start; node--) places.set(identity(after, node), node);
  return (node) => (node < start ? node : (places.get(identity(before, node)) ?? -1));
}
