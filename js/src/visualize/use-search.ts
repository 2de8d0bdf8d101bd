import { useEffect, useRef, useState } from "preact/hooks";
import { safeNodes } from "../shared/safe-html";
import { type Host, readPositions, words } from "./host";
import type { Detail } from "./model";
import { type Index, label } from "./pack";
import type { Picture } from "./picture";
import { pictureText } from "./strings";

const TYPING = 150;
/** A search is asked again for new messages, not at each of them. */
const AGAIN = 1000;
/** Only a search that takes longer is told. */
const SLOW = 250;
/** A kernel that has not answered by then is busy. */
const BUSY = 2000;

export interface Search {
  typed: string;
  isSearching: boolean;
  type(text: string): void;
  /** To the next match; what was typed is searched first, if it was not yet. */
  step(step: 1 | -1): void;
}

/** The search field: asks the kernel when nobody types any more; without one, labels and embedded content are searched. */
export function useSearch(picture: Picture, host: Host, say: (words: string) => void): Search {
  const [typed, setTyped] = useState("");
  const [isSearching, setSearching] = useState(false);
  const timer = useRef(0);
  const asked = useRef({ text: "", messages: 0, number: 0, at: 0 });
  const isOpen = useRef(false);
  const wantsStep = useRef<1 | -1 | 0>(0);

  async function ask(text: string, isFresh: boolean) {
    const number = ++asked.current.number;
    asked.current = { text, messages: picture.index.messages, number, at: Date.now() };
    if (!text) return finish(text, null, isFresh);
    isOpen.current = isFresh;
    const slow = isFresh ? setTimeout(() => setSearching(asked.current.number === number), SLOW) : undefined;
    let found: ArrayLike<number>;
    const late = setTimeout(() => {
      if (asked.current.number !== number || !isFresh) return;
      say(pictureText.meanwhile);
      finish(text, findInLabels(text, picture.index), true);
    }, BUSY);
    try {
      found = await find(text, picture.index, host);
    } catch (error) {
      found = findInLabels(text, picture.index);
      if (asked.current.number === number) say(pictureText.labelsOnly(words(error)));
    } finally {
      clearTimeout(late);
      clearTimeout(slow);
    }
    if (asked.current.number === number) finish(text, found, isFresh && picture.query !== text);
  }

  function finish(text: string, found: ArrayLike<number> | null, isFresh: boolean) {
    isOpen.current = false;
    setSearching(false);
    picture.setHits(text, found, isFresh);
    const step = wantsStep.current;
    wantsStep.current = 0;
    if (step && found) go(step);
  }

  function go(step: 1 | -1) {
    const node = picture.nextMatch(step);
    if (node >= 0) picture.show(node);
  }

  useEffect(() => {
    const { text, messages } = asked.current;
    if (!text || !picture.hits || messages === picture.index.messages) return;
    const later = setTimeout(() => ask(text, false), Math.max(0, asked.current.at + AGAIN - Date.now()));
    return () => clearTimeout(later);
  }, [picture.index.messages]);

  useEffect(() => () => clearTimeout(timer.current), []);

  // The picture gave the search up by itself: it had to show a line that the search hid.
  useEffect(() => {
    if (picture.query || !asked.current.text || isOpen.current) return;
    clearTimeout(timer.current);
    asked.current = { ...asked.current, text: "" };
    setTyped("");
  }, [picture.query]);

  return {
    typed,
    isSearching,
    type(text) {
      setTyped(text);
      clearTimeout(timer.current);
      timer.current = window.setTimeout(() => ask(text.trim(), true), text ? TYPING : 0);
    },
    step(step) {
      if (typed.trim() === picture.query && !isOpen.current) return go(step);
      wantsStep.current = step;
      if (typed.trim() === asked.current.text && isOpen.current) return;
      clearTimeout(timer.current);
      ask(typed.trim(), true);
    },
  };
}

async function find(text: string, index: Index, host: Host): Promise<ArrayLike<number>> {
  if (Object.keys(host.embedded).length > 0) return findInDetails(text, index, host.embedded);
  const { buffers } = await host.call("search", { text });
  return readPositions(buffers[0]);
}

function findInLabels(text: string, index: Index): number[] {
  const sought = text.toLowerCase();
  const found: number[] = [];
  for (let node = 0; node < index.nodes; node++)
    if ((index.message[node] as number) >= 0 && label(index, node).toLowerCase().includes(sought))
      found.push(index.message[node] as number);
  return found;
}

function findInDetails(text: string, index: Index, embedded: Record<string, Detail>): number[] {
  const sought = text.toLowerCase();
  const found = new Set(findInLabels(text, index));
  for (const [message, detail] of Object.entries(embedded))
    if (shownText(detail).toLowerCase().includes(sought)) found.add(Number(message));
  return [...found];
}

/** What a detail says, without its markup. */
function shownText(detail: Detail): string {
  const parts = detail.parts.map((part) => {
    if (part.kind === "html") return safeNodes(part.html).textContent ?? "";
    return (part.kind === "table" ? part : part.table).rows.flat().join(" ");
  });
  return [detail.title, ...parts].join(" ");
}
