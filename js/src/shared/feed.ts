import type { Channel } from "./rpc";

/** One piece of news from `widgets/feed.py`; what it says beside its number is the widget's own. */
export interface FeedEvent {
  seq: number;
  [key: string]: unknown;
}

export interface Feed {
  /** A full copy was taken that knows all events up to `seq`. */
  caughtUp(seq: number): void;
  close(): void;
}

/**
 * Hands over events in their order, each once. After one that was missed, `resync` is called instead, once, until
 * `caughtUp` says up to where the copy reaches; events that came meanwhile and are newer are handed over then.
 */
export function listen(
  channel: Channel,
  onEvent: (event: FeedEvent, buffers: DataView[]) => void,
  resync: () => void,
): Feed {
  let last: number | undefined;
  let waiting: [FeedEvent, DataView[]][] = [];
  let asked = false;

  function take(event: FeedEvent, buffers: DataView[]): void {
    if (last !== undefined && event.seq <= last) return;
    if (last !== undefined && event.seq === last + 1) {
      last = event.seq;
      onEvent(event, buffers);
      return;
    }
    waiting.push([event, buffers]);
    if (waiting.length > 100) waiting.shift();
    if (!asked) {
      asked = true;
      resync();
    }
  }

  function receive(content: unknown, buffers: DataView[]): void {
    const event = content as { kind?: unknown; seq?: unknown } | null;
    if (event?.kind === "secgemini-event" && typeof event.seq === "number")
      take(event as FeedEvent, buffers ?? []);
  }

  channel.on("msg:custom", receive);
  return {
    caughtUp(seq) {
      last = seq;
      asked = false;
      const later = waiting.sort(([a], [b]) => a.seq - b.seq);
      waiting = [];
      for (const [event, buffers] of later) take(event, buffers);
    },
    close() {
      channel.off("msg:custom", receive);
    },
  };
}
