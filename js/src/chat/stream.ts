import { useEffect, useState } from "preact/hooks";
import { type FeedEvent, listen } from "../shared/feed";
import { type Channel, newUuid, type Rpc } from "../shared/rpc";

/** The running turn's outputs, by index: finished ones stay, only the last one moves. */
export interface Stream {
  turn: string;
  outputs: ReadonlyMap<number, string>;
  /** Counts what came. */
  changes: number;
  /** Whether what is said reaches the notebook of this page. */
  isSaved: boolean;
}

const NONE: Stream = { turn: "", outputs: new Map(), changes: 0, isSaved: true };
/** Milliseconds until a copy that did not come is asked for again. */
const AGAIN = 1_000;

/** `before` with what an event, or a full copy, says. */
export function merged(before: Stream, news: { [key: string]: unknown }): Stream {
  if (typeof news.turn !== "string" || !Array.isArray(news.outputs)) return before;
  const outputs = new Map(news.turn === before.turn ? before.outputs : []);
  for (const [index, html] of news.outputs as [number, string][])
    if (typeof index === "number" && typeof html === "string") outputs.set(index, html);
  return { turn: news.turn, outputs, changes: before.changes + 1, isSaved: before.isSaved };
}

const PAGE = Symbol.for("secgemini-page");

/** This page until it is loaded anew, the same for all views on it. */
function page(): string {
  const place = globalThis as { [PAGE]?: string };
  place[PAGE] ??= newUuid();
  return place[PAGE];
}

/** What the kernel sends of the running turn; a view that opens late, or missed something, asks for all of it. */
export function useStream(channel: Channel, rpc: Rpc): Stream {
  const [stream, setStream] = useState<Stream>(NONE);
  useEffect(() => {
    let open = true;
    let timer: ReturnType<typeof setTimeout>;
    const onEvent = (event: FeedEvent) => setStream((before) => merged(before, event));
    const resync = () => {
      rpc.call("resync", { page: page() }).then(
        ({ result }) => {
          const copy = result as { seq: number; turn: string; outputs: unknown[]; is_saved: boolean };
          setStream((before) =>
            merged({ ...NONE, changes: before.changes, isSaved: copy.is_saved !== false }, copy),
          );
          feed.caughtUp(copy.seq);
        },
        () => {
          // A busy kernel answers late; without a copy no further event could be shown.
          if (open) timer = setTimeout(resync, AGAIN);
        },
      );
    };
    const feed = listen(channel, onEvent, resync);
    resync();
    return () => {
      open = false;
      clearTimeout(timer);
      feed.close();
    };
  }, [channel, rpc]);
  return stream;
}
