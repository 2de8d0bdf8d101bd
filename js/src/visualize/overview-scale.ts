import { Kind } from "./model";
import type { Index } from "./pack";

/** Idle time that is more than this part of all the rest is shortened, to so many pixels; at most so many gaps. */
const IDLE = 0.2;
const GAP = 16;
const GAPS = 24;
/** Seconds of idle time that are never worth shortening. */
const SHORT = 2;

interface Segment {
  from: number;
  to: number;
  x: number;
  width: number;
}

export interface Gap {
  x: number;
  width: number;
  seconds: number;
}

/** Time to pixels and back, with long idle times shortened. */
export interface Scale {
  segments: Segment[];
  gaps: Gap[];
  x(time: number): number;
}

/** The nodes that the timeline shows, in order of time: those with a time and a message, and tool calls. */
export function inTime(index: Index): Int32Array {
  const found = new Int32Array(index.nodes);
  let count = 0;
  let isSorted = true;
  let last = Number.NEGATIVE_INFINITY;
  for (let node = 0; node < index.nodes; node++) {
    const time = index.time[node] as number;
    if (!Number.isFinite(time) || ((index.message[node] as number) < 0 && index.kind[node] !== Kind.tool))
      continue;
    found[count++] = node;
    if (time < last) isSorted = false;
    last = time;
  }
  const nodes = found.subarray(0, count);
  return isSorted
    ? nodes
    : nodes.sort((a, b) => (index.time[a] as number) - (index.time[b] as number) || a - b);
}

/** How long a node is drawn: a turn is the moment of its prompt, since all that fills it has marks of its own. */
export function spanOf(index: Index, node: number): number {
  const seconds = index.duration[node] as number;
  return index.kind[node] === Kind.turn || !(seconds > 0) || seconds > 1e9 ? 0 : seconds;
}

export function timeScale(index: Index, order: Int32Array, width: number): Scale {
  const idle = longGaps(index, order);
  const gapWidth = Math.min(GAP, (0.4 * width) / Math.max(1, idle.gaps.length));
  const parts: [number, number][] = [];
  let from = idle.from;
  for (const gap of idle.gaps) {
    parts.push([from, gap.from]);
    from = gap.to;
  }
  parts.push([from, idle.to]);
  const total = parts.reduce((sum, [begin, end]) => sum + end - begin, 0);
  // Each stretch gets a little, even one that is a single moment.
  const least = Math.max(total * 0.02, 1e-3);
  const perSecond = (width - gapWidth * idle.gaps.length) / (total + least * parts.length);
  const segments: Segment[] = [];
  const gaps: Gap[] = [];
  let x = 0;
  parts.forEach(([begin, end], number) => {
    const wide = (end - begin + least) * perSecond;
    segments.push({ from: begin, to: end, x, width: wide });
    x += wide;
    const gap = idle.gaps[number];
    if (gap) gaps.push({ x, width: gapWidth, seconds: gap.to - gap.from });
    if (gap) x += gapWidth;
  });
  return { segments, gaps, x: (time) => place(segments, least, time) };
}

function place(segments: Segment[], least: number, time: number): number {
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((segments[middle] as Segment).from <= time) low = middle;
    else high = middle - 1;
  }
  const segment = segments[low] as Segment;
  const along = (time - segment.from + least / 2) / (segment.to - segment.from + least);
  return segment.x + Math.max(0, Math.min(1, along)) * segment.width;
}

/** The first and last moment, and the idle times worth shortening, in order. */
function longGaps(index: Index, order: Int32Array) {
  const from = index.time[order[0] as number] as number;
  let to = from;
  const gaps: { from: number; to: number }[] = [];
  for (const node of order) {
    const time = index.time[node] as number;
    if (time - to > SHORT) gaps.push({ from: to, to: time });
    to = Math.max(to, time + spanOf(index, node));
  }
  gaps.sort((a, b) => b.to - b.from - (a.to - a.from));
  let rest = to - from;
  let count = 0;
  for (const gap of gaps.slice(0, GAPS)) {
    const seconds = gap.to - gap.from;
    if (seconds <= IDLE * (rest - seconds)) break;
    rest -= seconds;
    count++;
  }
  return { from, to, gaps: gaps.slice(0, count).sort((a, b) => a.from - b.from) };
}

/** Lanes of actors, in the order they appear; tool calls have one of their own, the last one may be for several. */
export interface Lanes {
  names: string[];
  of(node: number): number;
}

const MOST_LANES = 6;

export function lanesOf(
  index: Index,
  order: Int32Array,
  tools: string,
  others: (count: number) => string,
): Lanes {
  const lanes = new Map<number, number>();
  let hasTools = false;
  for (const node of order) {
    if (index.kind[node] === Kind.tool) hasTools = true;
    else if (!lanes.has(index.actor[node] as number)) lanes.set(index.actor[node] as number, lanes.size);
  }
  const room = MOST_LANES - (hasTools ? 1 : 0);
  const isCrowded = lanes.size > room;
  const own = isCrowded ? room - 1 : lanes.size;
  const names = [...lanes.keys()].slice(0, own).map((actor) => index.names.actor[actor] || "–");
  if (isCrowded) names.push(others(lanes.size - own));
  const toolLane = names.length;
  if (hasTools) names.push(tools);
  const last = toolLane - 1;
  return {
    names,
    of: (node) =>
      index.kind[node] === Kind.tool
        ? toolLane
        : Math.min(last, lanes.get(index.actor[node] as number) ?? last),
  };
}
