import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { Channel } from "../shared/rpc";
import { Cell } from "./cell";
import { commands } from "./commands";
import { DetailPane } from "./detail";
import { Foot } from "./foot";
import type { Host } from "./host";
import type { VisualizeTraits } from "./model";
import { type Lines, Overview } from "./overview";
import { Picture } from "./picture";
import { Separator } from "./separator";
import { pictureText as text } from "./strings";
import { clearAll, Toolbar } from "./toolbar";
import { Tree } from "./tree";
import { useDetail } from "./use-detail";
import { useIndex } from "./use-index";
import { useSearch } from "./use-search";
import { useSelection } from "./use-selection";

export interface VisualizeProps extends VisualizeTraits {
  host: Host;
  channel: Channel;
  onSelect(positions: number[]): void;
}

const HEIGHT = { first: 340, min: 160, max: 900 };
const SPLIT = { first: 42, min: 20, max: 75 };
/** What happened is told for so long. */
const NEWS = 8000;

/** A session as a tree, a message in full, and a timeline. */
export function Visualize(props: VisualizeProps) {
  const { host, running, session_id, session_name } = props;
  const [version, redraw] = useReducer((before: number) => before + 1, 0);
  const [picture] = useState(() => new Picture(() => redraw(0)));
  const [status, say] = useStatus();
  const { isLoading, error } = useIndex(picture, props.index, host, props.channel);
  const selection = useSelection(picture, props.selected, props.onSelect);
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

  const isEmpty = picture.index.nodes === 0;
  return (
    <section
      ref={root}
      class="sg-widget sg-visualize"
      aria-label={session_name ? text.title(session_name) : text.ofTable}
      data-lm-suppress-shortcuts="true"
      onKeyDown={(event) => event.stopPropagation()}
    >
      {error && <p class="sg-broken">{error}</p>}
      {isEmpty && !error && (isLoading ? <p class="sg-empty">{text.loading}</p> : <Empty />)}
      {!isEmpty && (
        <>
          <Toolbar
            picture={picture}
            typed={search.typed}
            isSearching={search.isSearching}
            hasSession={session_id !== ""}
            selectedCount={selection.messages.length}
            field={field}
            onType={search.type}
            onStep={search.step}
            onClear={clear}
            commands={commands(host, selection, say)}
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
              wanted={search.typed}
              selectedCount={selection.messages.length}
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
