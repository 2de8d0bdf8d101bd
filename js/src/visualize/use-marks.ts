import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

const NAME = "sg-hit";
const MAX_MARKS = 500;
/** What is no part of the message: the search does not look there either. */
const BESIDE = ".sg-heading, .sg-detail-commands, .sg-facts, .sg-more-facts, .sg-selected-count";

/** Marks where `wanted` stands in `place`, opens what hides it, and scrolls to the first. The nodes stay as they are. */
export function useMarks(place: RefObject<HTMLElement>, wanted: string, shown: unknown): void {
  useLayoutEffect(() => {
    const pane = place.current;
    if (!pane || !wanted.trim() || !("highlights" in CSS)) return;
    const ranges = find(pane, pattern(wanted.trim()));
    for (const range of ranges) open(range.startContainer, pane);
    if (ranges[0]) reveal(ranges[0], pane);
    // One highlight of this name serves all widgets of the page.
    const marks = CSS.highlights.get(NAME) ?? new Highlight();
    CSS.highlights.set(NAME, marks);
    for (const range of ranges) marks.add(range);
    return () => {
      for (const range of ranges) marks.delete(range);
    };
  }, [wanted, shown]);
}

/** `wanted` as the pane shows it: without regard to case, defanged where the kernel has defanged it. */
function pattern(wanted: string): RegExp {
  const escaped = wanted.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  return new RegExp(
    escaped
      .replaceAll("\\[\\.\\]", "\\.")
      .replaceAll("\\.", "(?:\\.|\\[\\.\\])")
      .replace(/^h(?:tt|xx)p/i, "h(?:tt|xx)p")
      .replaceAll(":\\/\\/", "(?::\\/\\/|\\[:\\/\\/\\])"),
    "gi",
  );
}

function find(pane: HTMLElement, wanted: RegExp): Range[] {
  const ranges: Range[] = [];
  const texts = document.createTreeWalker(pane, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    if (node.parentElement?.closest(BESIDE)) continue;
    for (const match of (node.textContent ?? "").matchAll(wanted)) {
      const range = new Range();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      ranges.push(range);
      if (ranges.length === MAX_MARKS) return ranges;
    }
  }
  return ranges;
}

function open(node: Node, pane: HTMLElement): void {
  for (let each = node.parentElement; each && each !== pane; each = each.parentElement)
    if (each instanceof HTMLDetailsElement && !each.open) {
      const isHeading = each.querySelector(":scope > summary")?.contains(node);
      if (!isHeading) each.open = true;
    }
}

/** Scrolls the pane alone: `scrollIntoView` would move the notebook too. */
function reveal(range: Range, pane: HTMLElement): void {
  const [mark, frame] = [range.getBoundingClientRect(), pane.getBoundingClientRect()];
  if (mark.top < frame.top || mark.bottom > frame.bottom)
    pane.scrollTop += mark.top - frame.top - frame.height / 3;
}
