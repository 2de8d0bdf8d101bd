import { TONES } from "./kinds";
import type { Index } from "./pack";
import { filterText } from "./strings";

const FACETS = ["tone", "type", "actor", "role", "state", "status"] as const;
export type Facet = (typeof FACETS)[number];

/** What may be shown: for each facet, of which `tone` is the quick choice by colour and shape, the chosen values, none chosen is all. Names by number, status codes as they are. */
export type Filter = Record<Facet, ReadonlySet<number>>;

export const NO_FILTER: Filter = {
  tone: new Set(),
  type: new Set(),
  actor: new Set(),
  role: new Set(),
  state: new Set(),
  status: new Set(),
};

export interface Choice {
  value: number;
  words: string;
  /** Messages that would be shown with it, as the other facets and the search stand. */
  count: number;
}

export interface Matches {
  /** 1 for nodes whose own message matches; null where nothing is filtered. */
  nodes: Uint8Array | null;
  /** How many messages match. */
  count: number;
  choices: Record<Facet, Choice[]>;
}

export function isFiltering(filter: Filter): boolean {
  return FACETS.some((facet) => filter[facet].size > 0);
}

export function toggled(filter: Filter, facet: Facet, value: number): Filter {
  const values = new Set(filter[facet]);
  if (!values.delete(value)) values.add(value);
  return { ...filter, [facet]: values };
}

/** Which nodes match, and how many messages each choice would give: one pass. */
export function matches(index: Index, filter: Filter, hits: Uint8Array | null): Matches {
  const nodes = hits !== null || isFiltering(filter) ? new Uint8Array(index.nodes) : null;
  const facets = FACETS.map((facet) => ({
    column: index[facet],
    chosen: filter[facet].size > 0 ? filter[facet] : null,
    tally: new Tally(facet in index.names ? index.names[facet as keyof Index["names"]].length : 0),
  }));
  let count = 0;
  for (let node = 0; node < index.nodes; node++) {
    const message = index.message[node] as number;
    if (message < 0) continue;
    let misses = 0;
    let missed = null;
    for (const facet of facets)
      if (facet.chosen && !facet.chosen.has(facet.column[node] as number)) {
        misses++;
        missed = facet;
      }
    const isHit = hits === null || hits[message] === 1;
    for (const facet of facets)
      facet.tally.add(facet.column[node] as number, isHit && misses === (missed === facet ? 1 : 0));
    if (isHit && misses === 0) {
      count++;
      if (nodes) nodes[node] = 1;
    }
  }
  const choices = {} as Record<Facet, Choice[]>;
  FACETS.forEach((facet, number) => {
    choices[facet] = (facets[number]?.tally.entries() ?? [])
      .map(([value, found]) => ({ value, words: valueWords(index, facet, value), count: found }))
      .sort((a, b) => (facet === "status" ? a.value - b.value : a.words < b.words ? -1 : 1));
  });
  return { nodes, count, choices };
}

/** Counts small numbers in an array, others in a map: a map for all would cost most of the time at 100k messages. */
class Tally {
  private readonly small: Int32Array;
  private readonly others = new Map<number, number>();

  constructor(names: number) {
    this.small = new Int32Array(Math.max(names, 1000)).fill(-1);
  }

  /** A value occurs; whether it counts, or is only there. */
  add(value: number, counts: boolean): void {
    if (value >= 0 && value < this.small.length)
      this.small[value] = Math.max(this.small[value] as number, 0) + (counts ? 1 : 0);
    else this.others.set(value, (this.others.get(value) ?? 0) + (counts ? 1 : 0));
  }

  entries(): [value: number, count: number][] {
    const found: [number, number][] = [...this.others];
    this.small.forEach((count, value) => {
      if (count >= 0) found.push([value, count]);
    });
    return found;
  }
}

/** `local_tool_call` as `local tool call`. */
function valueWords(index: Index, facet: Facet, value: number): string {
  if (facet === "status") return String(value);
  if (facet === "tone") return TONES[value] ?? "";
  const name = index.names[facet][value] || filterText.none;
  return facet === "actor" ? name : name.replaceAll("_", " ");
}
