import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { useUid } from "../shared/use-uid";
import type { Picture } from "./picture";
import { pictureText as text } from "./strings";
import { TreeKeys } from "./tree-keys";
import { queryPattern, TreeRow } from "./tree-row";

const ROW_HEIGHT = 24;
/** Lines drawn above and below what is seen, and all of them at most. */
const MARGIN = 8;
const MOST = 59;

export interface TreeProps {
  picture: Picture;
  /** A number that goes up with each change of the picture. */
  version: number;
  isRunning: boolean;
  onEnter(): void;
  /** The lines that are seen, first and last. */
  onWindow(first: number, last: number): void;
}

/** The tree. Only the lines that are seen are in the document, however many there are. */
export function Tree({ picture, version, isRunning, onEnter, onWindow }: TreeProps) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(12 * ROW_HEIGHT);
  const id = useUid();
  const keys = useMemo(() => new TreeKeys(picture, onEnter), [picture]);
  const query = useMemo(() => queryPattern(picture.query), [picture.query]);

  const count = picture.rows.nodes.length;
  const seen = Math.ceil(height / ROW_HEIGHT);
  const first = Math.max(0, Math.min(Math.floor(top / ROW_HEIGHT), count - seen));
  const from = Math.max(0, first - MARGIN);
  const drawn = Math.max(0, Math.min(MOST, seen + 2 * MARGIN, count - from));

  useEffect(() => {
    const element = box.current;
    if (!element || typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight || 12 * ROW_HEIGHT));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const row = picture.activeRow;
    if (!box.current) return;
    if (row < 0) {
      box.current.scrollTop = 0;
      return;
    }
    const above = row * ROW_HEIGHT;
    if (above < box.current.scrollTop) box.current.scrollTop = above;
    else if (above + ROW_HEIGHT > box.current.scrollTop + box.current.clientHeight)
      box.current.scrollTop = above + ROW_HEIGHT - box.current.clientHeight;
  }, [picture.revealed]);

  useTail(box, picture, isRunning);
  useEffect(() => onWindow(first, Math.min(count, first + seen) - 1), [first, seen, version]);

  function press(event: KeyboardEvent) {
    if (keys.press(event, Math.max(1, seen - 1))) event.preventDefault();
  }

  function click(event: MouseEvent) {
    const target = event.target as Element;
    const row = Number(target.closest("[data-row]")?.getAttribute("data-row") ?? -1);
    if (row < 0) return;
    const node = picture.rows.nodes[row] as number;
    if (target.closest("[data-twisty]")) picture.setOpen(node, !picture.isOpen(node));
    else picture.choose(row, event.shiftKey ? "range" : event.ctrlKey || event.metaKey ? "toggle" : "only");
  }

  function doubleClick(event: MouseEvent) {
    const row = (event.target as Element).closest("[data-row]")?.getAttribute("data-row");
    const node = picture.rows.nodes[Number(row ?? -1)];
    if (node !== undefined && !(event.target as Element).closest("[data-twisty]"))
      picture.setOpen(node, !picture.isOpen(node));
  }

  return (
    <div
      ref={box}
      class="sg-tree"
      role="tree"
      tabIndex={0}
      aria-label={text.tree}
      aria-multiselectable="true"
      aria-activedescendant={picture.activeRow >= 0 ? `${id}-${picture.active}` : undefined}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      onKeyDown={press}
      onClick={click}
      onDblClick={doubleClick}
      onMouseDown={(event) => event.shiftKey && event.preventDefault()}
    >
      <div role="none" class="sg-tree-space" style={{ height: `${count * ROW_HEIGHT}px` }}>
        {rowNumbers(from, drawn, picture.activeRow).map((row) => (
          <TreeRow
            key={row >= from && row < from + drawn ? row % MOST : "active"}
            picture={picture}
            row={row}
            id={`${id}-${picture.rows.nodes[row]}`}
            height={ROW_HEIGHT}
            query={query}
          />
        ))}
      </div>
    </div>
  );
}

/** The lines to draw: a run of them, and the active one, which the keyboard's focus names. */
function rowNumbers(from: number, drawn: number, active: number): number[] {
  const rows = Array.from({ length: drawn }, (_, n) => from + n);
  if (active >= 0 && active < from) rows.unshift(active);
  if (active >= from + drawn) rows.push(active);
  return rows;
}

/** While a turn runs, the end stays in view for who is at the end; its last news come when it runs no more. */
function useTail(box: { current: HTMLDivElement | null }, picture: Picture, isRunning: boolean): void {
  const isAtEnd = useRef(true);
  const shown = useRef(picture.index);
  const wasRunning = useRef(isRunning);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () => {
      isAtEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - ROW_HEIGHT / 2;
    };
    element.addEventListener("scroll", look, { passive: true });
    return () => element.removeEventListener("scroll", look);
  }, []);
  useLayoutEffect(() => {
    const isNews = shown.current !== picture.index && shown.current.nodes > 0;
    shown.current = picture.index;
    if (isNews && (isRunning || wasRunning.current) && isAtEnd.current && box.current)
      box.current.scrollTop = box.current.scrollHeight;
    wasRunning.current = isRunning;
  }, [picture.index]);
}
