import { type Filter, isFiltering, type Matches, matches, NO_FILTER } from "./filter";
import { Kind } from "./model";
import { emptyIndex, type Index, merge, nodesByMessage, type Pack } from "./pack";
import { hasChildren, kept, type Rows, rowOf, visibleRows } from "./rows";
import { moved, positions } from "./selection";

/** Up to so many turns are open at first; of more, only the last. */
const OPEN_TURNS = 50;
const OPEN_DEPTH = 4;

/** How a line is chosen: alone, beside the others, all from the last one chosen on, or only looked at. */
export type Choosing = "only" | "toggle" | "range" | "look";

/**
 * What the view knows: the index, what is open, filtered, selected, and the lines that follow from it. `changed` is
 * called after each change. Typed arrays throughout, since a session may have 100,000 messages.
 */
export class Picture {
  index: Index = emptyIndex();
  filter: Filter = NO_FILTER;
  query = "";
  /** 1 for messages that the search found; null without a search. */
  hits: Uint8Array | null = null;
  matched: Matches = matches(this.index, NO_FILTER, null);
  keep: Uint8Array | null = null;
  rows: Rows = visibleRows(this.index, new Uint8Array(0), null);
  /** The node that the keyboard is on and that the detail shows, or -1. */
  active = -1;
  selected = new Uint8Array(0);
  /** Goes up when the active line must be scrolled into view. */
  revealed = 0;
  /** Nodes from here on are new, or were made anew, since somebody set this to infinity. */
  newFrom = Number.POSITIVE_INFINITY;
  /** Goes up when the person changed the selection. */
  chosen = 0;

  private open = new Uint8Array(0);
  // Where something is filtered, all is open at first: a match must be seen. What was open before comes back after.
  private openFiltered = new Uint8Array(0);
  private anchor = -1;

  constructor(private readonly changed: () => void) {}

  get isFiltering(): boolean {
    return this.matched.nodes !== null;
  }

  get activeRow(): number {
    return rowOf(this.rows, this.active);
  }

  isOpen(node: number): boolean {
    return (this.keep ? this.openFiltered : this.open)[node] === 1;
  }

  hasChildren(node: number): boolean {
    return hasChildren(this.index, this.keep, node);
  }

  /** News, or a full index. What is open, selected and looked at stays so. @throws Error when the pack does not fit. */
  apply(pack: Pack): void {
    const before = this.index;
    const index = merge(before, pack);
    const move = moved(before, index, before.nodes === 0 ? 0 : pack.header.start);
    const open = openAtFirst(index);
    const openFiltered = new Uint8Array(index.nodes).fill(1);
    const selected = new Uint8Array(index.nodes);
    for (let old = 0; old < before.nodes; old++) {
      const node = move(old);
      if (node < 0) continue;
      open[node] = this.open[old] as number;
      openFiltered[node] = this.openFiltered[old] as number;
      selected[node] = this.selected[old] as number;
    }
    this.active = this.active < 0 ? -1 : move(this.active);
    this.anchor = this.anchor < 0 ? -1 : move(this.anchor);
    Object.assign(this, {
      index,
      open,
      openFiltered,
      selected,
      newFrom: Math.min(this.newFrom, pack.header.start),
    });
    if (this.hits) {
      const hits = new Uint8Array(index.messages);
      hits.set(this.hits.subarray(0, index.messages));
      this.hits = hits;
    }
    this.match();
  }

  setFilter(filter: Filter): void {
    this.filter = filter;
    this.openFiltered.fill(1);
    this.match();
    this.revealed++;
  }

  /** The positions of the messages that hold `query`, or null for no search. `isFresh` is false for the same query. */
  setHits(query: string, found: ArrayLike<number> | null, isFresh = true): void {
    this.query = query;
    this.hits = found && new Uint8Array(this.index.messages);
    for (let n = 0; found && n < found.length; n++) if (this.hits) this.hits[found[n] as number] = 1;
    if (isFresh) {
      this.openFiltered.fill(1);
      this.revealed++;
    }
    this.match();
  }

  setOpen(node: number, isOpen: boolean): void {
    if (!this.hasChildren(node) || this.isOpen(node) === isOpen) return;
    (this.keep ? this.openFiltered : this.open)[node] = isOpen ? 1 : 0;
    if (!isOpen && this.active > node && this.active < node + (this.index.size[node] as number))
      this.active = node;
    this.lay();
  }

  /** `*`: the line's siblings, and the line. */
  openSiblings(node: number): void {
    const parent = this.index.parent[node] as number;
    const end = parent < 0 ? this.index.nodes : parent + (this.index.size[parent] as number);
    const open = this.keep ? this.openFiltered : this.open;
    for (let each = parent + 1; each < end; each += this.index.size[each] as number) open[each] = 1;
    this.lay();
  }

  openAll(isOpen: boolean): void {
    (this.keep ? this.openFiltered : this.open).fill(isOpen ? 1 : 0);
    while (!isOpen && (this.index.parent[this.active] ?? -1) >= 0)
      this.active = this.index.parent[this.active] as number;
    this.revealed++;
    this.lay();
  }

  choose(row: number, how: Choosing): void {
    const node = this.rows.nodes[row];
    if (node === undefined) return;
    this.active = node;
    if (how !== "look") {
      if (how === "toggle") this.selected[node] = this.selected[node] ? 0 : 1;
      else {
        this.selected.fill(0);
        const from = how === "range" ? Math.max(rowOf(this.rows, this.anchor), 0) : row;
        for (let each = Math.min(from, row); each <= Math.max(from, row); each++)
          this.selected[this.rows.nodes[each] as number] = 1;
      }
      if (how !== "range" || this.anchor < 0) this.anchor = node;
      this.chosen++;
    }
    this.revealed++;
    this.changed();
  }

  /** Ctrl+A: every line that is shown; with a filter those that match, not those that only stand above them. */
  chooseAll(): void {
    this.selected.fill(0);
    for (const node of this.rows.nodes)
      if (!this.matched.nodes || this.matched.nodes[node]) this.selected[node] = 1;
    this.chosen++;
    this.changed();
  }

  /** Shows a node wherever it is: opens what is above it, and gives a filter up that hides it. */
  show(node: number, how: Choosing = "only"): void {
    if (this.keep && !this.keep[node]) {
      this.filter = NO_FILTER;
      this.hits = null;
      this.query = "";
      this.match(false);
    }
    this.openAbove(node);
    this.lay(false);
    this.choose(rowOf(this.rows, node), how);
  }

  /** What Python selected: these messages and no others. The first one comes into view. */
  selectMessages(messages: readonly number[]): void {
    const byMessage = nodesByMessage(this.index);
    this.selected.fill(0);
    let first = -1;
    for (const message of messages) {
      const node = byMessage[message] ?? -1;
      if (node < 0) continue;
      this.selected[node] = 1;
      this.openAbove(node);
      if (first < 0 || node < first) first = node;
    }
    this.anchor = first;
    if (first >= 0) this.active = first;
    this.revealed++;
    this.lay();
  }

  /** The next node that matches, `step` 1 or -1, from the active one on and around; -1 where none does. */
  nextMatch(step: 1 | -1): number {
    const matching = this.matched.nodes;
    if (!matching || this.matched.count === 0) return -1;
    const { nodes } = this.index;
    let node = this.active < 0 && step < 0 ? 0 : this.active;
    do node = (node + step + nodes) % nodes;
    while (!matching[node]);
    return node;
  }

  /** Which of the matches the active node is, from 1; 0 when it is none. */
  matchNumber(): number {
    const matching = this.matched.nodes;
    if (!matching?.[this.active]) return 0;
    let number = 0;
    for (let node = 0; node <= this.active; node++) number += matching[node] as number;
    return number;
  }

  selectedMessages(): number[] {
    return positions(this.index, this.selected, this.matched.nodes);
  }

  private openAbove(node: number): void {
    for (let above = this.index.parent[node] ?? -1; above >= 0; above = this.index.parent[above] as number) {
      this.open[above] = 1;
      this.openFiltered[above] = 1;
    }
  }

  private match(tells = true): void {
    this.matched = matches(this.index, this.filter, this.hits);
    this.keep = this.matched.nodes && kept(this.index, this.matched.nodes);
    this.lay(tells);
  }

  private lay(tells = true): void {
    this.rows = visibleRows(this.index, this.keep ? this.openFiltered : this.open, this.keep);
    if (tells) this.changed();
  }

  get isNarrowed(): boolean {
    return this.hits !== null || isFiltering(this.filter);
  }
}

function openAtFirst(index: Index): Uint8Array {
  const open = new Uint8Array(index.nodes);
  let turns = 0;
  for (let node = 0; node < index.nodes; node += index.size[node] as number) turns++;
  for (let node = 0; node < index.nodes; node++) {
    const kind = index.kind[node];
    const isTurn = kind === Kind.turn || index.depth[node] === 0;
    const isLast = node + (index.size[node] as number) === index.nodes;
    if (isTurn) open[node] = turns <= OPEN_TURNS || isLast ? 1 : 0;
    else
      open[node] =
        kind === Kind.actor || (kind === Kind.message && (index.depth[node] as number) < OPEN_DEPTH) ? 1 : 0;
  }
  return open;
}
