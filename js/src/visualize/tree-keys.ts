import { label } from "./pack";
import type { Choosing, Picture } from "./picture";

/** How long letters belong together, in milliseconds. */
const TYPING = 700;

/** The keys of a tree (WAI-ARIA): moves, opens, selects. `enter` is called for a line without anything below it. */
export class TreeKeys {
  private typed = "";
  private typedAt = 0;

  constructor(
    private readonly picture: Picture,
    private readonly enter: () => void,
  ) {}

  /** Whether the key meant something here. */
  press(event: KeyboardEvent, page: number): boolean {
    const { picture } = this;
    const { key } = event;
    const hasControl = event.ctrlKey || event.metaKey;
    const last = picture.rows.nodes.length - 1;
    if (last < 0 || event.altKey) return false;
    const how: Choosing = event.shiftKey ? "range" : hasControl ? "look" : "only";
    const row = picture.activeRow;
    const to = (target: number) => picture.choose(Math.max(0, Math.min(last, target)), how);
    const moves: Record<string, () => void> = {
      ArrowDown: () => to(row + 1),
      ArrowUp: () => to(row < 0 ? last : row - 1),
      Home: () => to(0),
      End: () => to(last),
      PageDown: () => to(row + page),
      PageUp: () => to(row - page),
      ArrowRight: () => this.inwards(row),
      ArrowLeft: () => this.outwards(row),
      Enter: () => this.act(row),
      "*": () => row >= 0 && picture.openSiblings(picture.active),
      " ": () => row >= 0 && picture.choose(row, event.shiftKey ? "range" : "toggle"),
    };
    if (hasControl && key.toLowerCase() === "a") picture.chooseAll();
    else if (moves[key] && !(key === " " && !hasControl && this.isTyping(event))) {
      this.typed = "";
      moves[key]();
    } else if (key.length === 1 && !hasControl) this.find(key, event.timeStamp);
    else return false;
    return true;
  }

  private inwards(row: number): void {
    const { picture } = this;
    if (row < 0 || !picture.hasChildren(picture.active)) return;
    if (picture.isOpen(picture.active)) picture.choose(row + 1, "only");
    else picture.setOpen(picture.active, true);
  }

  private outwards(row: number): void {
    const { picture } = this;
    if (row < 0) return;
    const parent = picture.index.parent[picture.active] as number;
    if (picture.hasChildren(picture.active) && picture.isOpen(picture.active))
      picture.setOpen(picture.active, false);
    else if (parent >= 0) picture.show(parent);
  }

  private act(row: number): void {
    const { picture } = this;
    if (row < 0) return;
    if (picture.hasChildren(picture.active)) picture.setOpen(picture.active, !picture.isOpen(picture.active));
    else this.enter();
  }

  private isTyping(event: KeyboardEvent): boolean {
    return this.typed !== "" && event.timeStamp - this.typedAt < TYPING;
  }

  /** The next line that begins with what was typed; the same letter again goes on to the next one. */
  private find(key: string, now: number): void {
    const { picture } = this;
    const letter = key.toLowerCase();
    this.typed = now - this.typedAt < TYPING ? this.typed + letter : letter;
    this.typedAt = now;
    const isRepeated = [...this.typed].every((each) => each === letter);
    const sought = isRepeated ? letter : this.typed;
    const { nodes } = picture.rows;
    const from = picture.activeRow + (isRepeated ? 1 : 0);
    for (let step = 0; step < nodes.length; step++) {
      const row = (Math.max(from, 0) + step) % nodes.length;
      const words = label(picture.index, nodes[row] as number).toLowerCase();
      if (!words.startsWith(sought) && !spoken(words).startsWith(sought)) continue;
      picture.choose(row, "only");
      return;
    }
  }
}

/** A label without what stands before its words: a turn's number, quotation marks. */
function spoken(words: string): string {
  return words.replace(/^[\d\s\p{P}\p{S}]+/u, "");
}
