import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { type Feed, type FeedEvent, listen } from "../shared/feed";
import type { Channel } from "../shared/rpc";
import { Cell } from "./cell";
import { DetailPane } from "./detail";
import { download } from "./download";
import { Foot } from "./foot";
import { type Host, words } from "./host";
import type { VisualizeTraits } from "./model";
import { type Lines, Overview } from "./overview";
import { readPack } from "./pack";
import { Picture } from "./picture";
import { Separator } from "./separator";
import { exportText, pictureText as text } from "./strings";
import { clearAll, type ExportFormat, type ExportScope, Toolbar } from "./toolbar";
import { Tree } from "./tree";
import { useDetail } from "./use-detail";
import { useSearch } from "./use-search";

export interface VisualizeProps extends VisualizeTraits {
  host: Host;
  channel: Channel;
  onSelect(positions: number[]): void;
}

const HEIGHT = { first: 340, min: 160, max: 900 };
const SPLIT = { first: 42, min: 20, max: 75 };
/** The selection is told when nobody moves any more; milliseconds. */
const REST = 120;
/** What happened is told for so long. */
const NEWS = 8000;

/** A session as a tree, a message in full, and a timeline. */
export function Visualize(props: VisualizeProps) {
  const { host, running, session_id, session_name } = props;
  const [version, redraw] = useReducer((before: number) => before + 1, 0);
  const [picture] = useState(() => new Picture(() => redraw(0)));
  const [status, say] = useStatus();
  const [broken, setBroken] = useState("");
  const { isLoading } = useIndex(props, picture, setBroken);
  const selectedCount = useSelection(props, picture);
  const search = useSearch(picture, host, say);
  const shown = useDetail(picture, host);
  const [seen] = useState(() => new Cell<Lines>([0, 0]));
  const [hovered] = useState(() => new Cell(-1));
  const [split, setSplit] = useState(SPLIT.first);
  const [height, setHeight] = useState(HEIGHT.first);
  const root = useRef<HTMLElement>(null);
  const pane = useRef<HTMLElement>(null);
  const field = useRef<HTMLInputElement>(null);

  function clear() {
    search.type("");
    clearAll(picture);
    field.current?.focus();
  }

  function step(by: 1 | -1) {
    picture.choose(picture.activeRow < 0 ? 0 : picture.activeRow + by, "only");
  }

  async function write(format: ExportFormat, scope: ExportScope) {
    if (scope === "selected" && selectedCount === 0) return say(exportText.nothing);
    say(exportText.running);
    try {
      if (scope === "selected") props.onSelect(picture.selectedMessages());
      const { result, buffers } = await host.call("export", { format, scope });
      download(result.name, result.mime_type, buffers[0]);
      say(exportText.done(result.name));
    } catch (error) {
      say(words(error));
    }
  }

  async function refresh() {
    try {
      await host.call("refresh", {});
      say(text.refreshed);
    } catch (error) {
      say(words(error));
    }
  }

  const isEmpty = picture.index.nodes === 0;
  return (
    <section
      ref={root}
      class="sg-widget sg-visualize"
      aria-label={session_name ? text.title(session_name) : text.ofTable}
      data-lm-suppress-shortcuts="true"
      onKeyDown={(event) => event.stopPropagation()}
    >
      {broken && <p class="sg-broken">{text.broken(broken)}</p>}
      {isEmpty && !broken && (isLoading ? <p class="sg-empty">{text.loading}</p> : <Empty />)}
      {!isEmpty && (
        <>
          <Toolbar
            picture={picture}
            typed={search.typed}
            isSearching={search.isSearching}
            hasSession={session_id !== ""}
            selectedCount={selectedCount}
            field={field}
            onType={search.type}
            onStep={search.step}
            onClear={clear}
            onRefresh={refresh}
            onExport={write}
          />
          <div class="sg-panes" style={{ "--sg-split": `${split}%`, "--sg-height": `${height}px` }}>
            <div class="sg-tree-pane">
              {picture.rows.nodes.length === 0 ? (
                <p class="sg-empty">
                  {text.nothing}{" "}
                  <button type="button" class="sg-button" onClick={clear}>
                    {text.clear}
                  </button>
                </p>
              ) : (
                <Tree
                  picture={picture}
                  version={version}
                  isRunning={running}
                  onEnter={() => pane.current?.focus()}
                  onWindow={(first, last) => seen.set([first, last])}
                />
              )}
            </div>
            <Separator
              label={text.split}
              isVertical
              value={split}
              {...SPLIT}
              step={4}
              perPixel={() => 100 / (root.current?.clientWidth || 800)}
              onChange={setSplit}
            />
            <DetailPane
              shown={shown}
              host={host}
              pane={pane}
              selectedCount={selectedCount}
              onStep={step}
              say={say}
            />
          </div>
          <Separator
            label={text.height}
            isVertical={false}
            value={height}
            {...HEIGHT}
            step={24}
            perPixel={() => 1}
            onChange={setHeight}
          />
          <Overview picture={picture} seen={seen} onHover={hovered.set} />
        </>
      )}
      <Foot picture={picture} status={status || (running ? text.running : "")} told={hovered} />
    </section>
  );
}

function Empty() {
  return (
    <div class="sg-empty">
      <p>{text.empty}</p>
      <pre>{text.emptyExample}</pre>
    </div>
  );
}

/** What happened last, for as long as it is news. */
function useStatus(): [string, (words: string) => void] {
  const [status, say] = useState("");
  useEffect(() => {
    if (!status) return;
    const timer = setTimeout(() => say(""), NEWS);
    return () => clearTimeout(timer);
  }, [status]);
  return [status, say];
}

/** The index: first from the trait or the kernel, then news by the feed; a full one again when one was missed. */
function useIndex(props: VisualizeProps, picture: Picture, fail: (words: string) => void) {
  const { host, channel, index } = props;
  const [isLoading, setLoading] = useState(!index?.byteLength);
  const feed = useRef<Feed | null>(null);

  function take(bytes: DataView | ArrayBuffer | Uint8Array | undefined): number | undefined {
    try {
      if (!bytes) throw new Error("it is missing");
      const pack = readPack(bytes);
      picture.apply(pack);
      fail("");
      return pack.header.seq;
    } catch (error) {
      fail(words(error));
      return undefined;
    }
  }

  async function readAll() {
    try {
      const { result, buffers } = await host.call("read_index", {});
      take(buffers[0]);
      feed.current?.caughtUp(result.seq);
    } catch (error) {
      if (picture.index.nodes === 0) fail(words(error));
    }
    setLoading(false);
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

  return { isLoading };
}

/** The selection goes to Python when it rests, and comes from there. */
function useSelection(props: VisualizeProps, picture: Picture): number {
  const { selected, onSelect } = props;
  const told = useRef<number[]>([]);
  const timer = useRef(0);
  const [count, setCount] = useState(0);

  useEffect(() => {
    if (picture.index.nodes === 0 || isSame(selected, told.current)) return;
    told.current = selected;
    if (selected.length > 0 || picture.chosen > 0) picture.selectMessages(selected);
    setCount(selected.length);
  }, [selected, picture.index.nodes > 0]);

  useEffect(() => {
    if (picture.chosen === 0) return;
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => {
      told.current = picture.selectedMessages();
      setCount(told.current.length);
      onSelect(told.current);
    }, REST);
    return () => clearTimeout(timer.current);
  }, [picture.chosen]);

  return count;
}

const isSame = (a: number[], b: number[]) => a.length === b.length && a.every((each, n) => each === b[n]);
