import { useEffect, useRef, useState } from "preact/hooks";
import { type Feed, type FeedEvent, listen } from "../shared/feed";
import type { Channel } from "../shared/rpc";
import { type Host, words } from "./host";
import { readPack } from "./pack";
import type { Picture } from "./picture";
import { pictureText } from "./strings";

type Bytes = DataView | ArrayBuffer | Uint8Array;

export interface IndexState {
  isLoading: boolean;
  /** Why there is nothing to see, and what to do; empty where there is. */
  error: string;
}

/** The index: first from the trait or the kernel, then news by the feed; a full one again where one was missed. */
export function useIndex(picture: Picture, index: Bytes, host: Host, channel: Channel): IndexState {
  const [state, setState] = useState<IndexState>({ isLoading: !index?.byteLength, error: "" });
  const feed = useRef<Feed | null>(null);
  const isAsking = useRef(false);

  /** The number of the last event that a full index knows; undefined where it cannot be read. */
  function take(bytes: Bytes | undefined): number | undefined {
    try {
      if (!bytes) throw new Error("it is missing");
      const pack = readPack(bytes);
      picture.apply(pack);
      setState({ isLoading: false, error: "" });
      return pack.header.seq;
    } catch (error) {
      setState({ isLoading: false, error: pictureText.broken(words(error)) });
      return undefined;
    }
  }

  async function readAll() {
    if (isAsking.current) return;
    isAsking.current = true;
    try {
      const { result, buffers } = await host.call("read_index", {});
      if (take(buffers[0]) !== undefined) feed.current?.caughtUp(result.seq);
    } catch (error) {
      // A picture that is there stays: old news are better than none.
      setState({ isLoading: false, error: picture.index.nodes === 0 ? words(error) : "" });
    } finally {
      isAsking.current = false;
    }
  }

  function hear(_: FeedEvent, buffers: DataView[]) {
    try {
      if (buffers[0]) picture.apply(readPack(buffers[0]));
    } catch {
      readAll();
    }
  }

  useEffect(() => {
    feed.current = listen(channel, hear, readAll);
    const seq = index?.byteLength ? take(index) : undefined;
    if (seq === undefined) readAll();
    else feed.current.caughtUp(seq);
    return () => feed.current?.close();
  }, [channel]);

  return state;
}
