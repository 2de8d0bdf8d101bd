import { useEffect, useRef, useState } from "preact/hooks";
import { utc } from "../shared/format";
import { type Host, words } from "./host";
import { flagWords, kindWords } from "./kinds";
import type { Detail } from "./model";
import { type Index, label } from "./pack";
import type { Picture } from "./picture";
import { detailText } from "./strings";
import { took } from "./took";

/** Lines that are passed by with a held key are not read; milliseconds. */
const REST = 60;
/** While a message grows it is read again, this often. */
const AGAIN = 800;
const LATE = 700;
const KEPT = 60;

export interface Shown {
  /** What is shown now: until the new one is there, the last one. */
  detail: Detail | null;
  isLoading: boolean;
  error: string;
  retry(): void;
}

/** The detail of the active node. Its neighbours are read with it, so that the next step shows at once. */
export function useDetail(picture: Picture, host: Host): Shown {
  const { active, index } = picture;
  const cache = useRef(new Map<number, Detail>());
  const [shown, setShown] = useState<Omit<Shown, "retry">>({ detail: null, isLoading: false, error: "" });
  const wanted = useRef(-1);
  const [attempt, setAttempt] = useState(0);
  const lastRead = useRef(0);
  const lastIndex = useRef(index);

  useEffect(() => {
    if (lastIndex.current === index) return;
    lastIndex.current = index;
    const stale = new Set(index.message.subarray(picture.newFrom));
    picture.newFrom = Number.POSITIVE_INFINITY;
    for (const message of cache.current.keys()) if (stale.has(message)) cache.current.delete(message);
  }, [index]);

  useEffect(() => {
    if (active < 0) {
      wanted.current = -1;
      return setShown({ detail: null, isLoading: false, error: "" });
    }
    const message = index.message[active] as number;
    wanted.current = message;
    const known =
      message < 0 ? ofNode(index, active) : (cache.current.get(message) ?? host.embedded[message]);
    if (known) setShown({ detail: known, isLoading: false, error: "" });
    const missing = [message, ...neighbours(picture)].filter(
      (each) => each >= 0 && !cache.current.has(each) && !host.embedded[each],
    );
    if (missing.length === 0) return;
    if (!known) setShown((before) => ({ ...before, isLoading: true, error: "" }));
    const isAgain = shown.detail?.message === message;
    const timer = setTimeout(read, isAgain ? Math.max(0, lastRead.current + AGAIN - Date.now()) : REST);

    async function read() {
      lastRead.current = Date.now();
      try {
        const { result } = await host.call("read", { messages: [...new Set(missing)].sort((a, b) => a - b) });
        for (const detail of result.details) cache.current.set(detail.message, detail);
        for (const old of cache.current.keys()) if (cache.current.size > KEPT) cache.current.delete(old);
        const detail = result.details.find((each) => each.message === wanted.current);
        if (detail) setShown({ detail, isLoading: false, error: "" });
      } catch (error) {
        if (!known && wanted.current === message)
          setShown({
            detail: ofNode(index, active),
            isLoading: false,
            error: detailText.failed(words(error)),
          });
      }
    }
    // The last detail may stay for a moment, but not under another line's name.
    const late = setTimeout(() => {
      if (!known && wanted.current === message && shown.detail?.message !== message)
        setShown((before) => (before.isLoading ? { ...before, detail: ofNode(index, active) } : before));
    }, LATE);
    return () => {
      clearTimeout(timer);
      clearTimeout(late);
    };
  }, [active, index, attempt]);

  return { ...shown, retry: () => setAttempt(attempt + 1) };
}

/** The messages of the lines beside the active one. */
function neighbours(picture: Picture): number[] {
  const row = picture.activeRow;
  if (row < 0) return [];
  return [row + 1, row - 1, row + 2]
    .map((each) => picture.rows.nodes[each])
    .map((node) => (node === undefined ? -1 : (picture.index.message[node] as number)));
}

/** What the index alone says of a node: where it has no message of its own, or no kernel answers. */
function ofNode(index: Index, node: number): Detail {
  const facts: [string, string][] = [];
  const actor = index.names.actor[index.actor[node] as number];
  if (actor) facts.push(["actor", actor]);
  const time = index.time[node] as number;
  if (!Number.isNaN(time)) facts.push(["time", utc(time)]);
  const seconds = took(index.duration[node] as number);
  if (seconds) facts.push(["took", seconds]);
  const tokens = index.tokens[node] as number;
  if (tokens > 0) facts.push(["tokens", tokens.toLocaleString("en")]);
  const below = (index.size[node] as number) - 1;
  if (below > 0) facts.push(["below", detailText.inside(below)]);
  const flags = flagWords(index.flags[node] as number);
  if (flags.length > 0) facts.push(["marked", flags.join(", ")]);
  return {
    message: index.message[node] as number,
    heading: kindWords(index, node),
    title: label(index, node),
    facts,
    parts: [],
  };
}
