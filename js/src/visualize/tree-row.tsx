import { count } from "../shared/format";
import { flagWords, kindWords, type Shape, shape, tone } from "./kinds";
import { label } from "./pack";
import type { Picture } from "./picture";
import { took } from "./took";

/** Deeper levels stand at this one, with their number: each costs width. */
const MAX_INDENT = 10;

export interface TreeRowProps {
  picture: Picture;
  row: number;
  id: string;
  height: number;
  query: RegExp | null;
}

export function TreeRow({ picture, row, id, height, query }: TreeRowProps) {
  const { index, rows } = picture;
  const node = rows.nodes[row] as number;
  const level = (index.depth[node] as number) + 1;
  const opens = picture.hasChildren(node);
  const isOpen = opens && picture.isOpen(node);
  const words = label(index, node);
  const flags = flagWords(index.flags[node] as number);
  const seconds = index.duration[node] as number;
  const tokens = index.tokens[node] as number;
  const time = took(seconds);
  const isAside = picture.isFiltering && !picture.matched.nodes?.[node];
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus, and names the active line
    <div
      id={id}
      role="treeitem"
      aria-level={level}
      aria-setsize={rows.children[(index.parent[node] as number) + 1]}
      aria-posinset={rows.place[row]}
      aria-expanded={opens ? isOpen : undefined}
      aria-selected={picture.selected[node] === 1}
      class={`sg-row${node === picture.active ? " sg-active" : ""}${isAside ? " sg-aside" : ""}`}
      data-row={row}
      style={{
        top: `${row * height}px`,
        paddingInlineStart: `${6 + 14 * Math.min(level - 1, MAX_INDENT)}px`,
      }}
    >
      <span class="sg-twisty" data-twisty={opens ? "" : undefined}>
        {opens && <Twisty isOpen={isOpen} />}
      </span>
      <span class={`sg-tone-${tone(index, node)}`}>
        <Mark shape={shape(index, node)} />
      </span>
      {level - 1 > MAX_INDENT && <span class="sg-level">{level - 1}</span>}
      <span class="sg-hidden">{kindWords(index, node)}: </span>
      <bdi class="sg-label" title={words}>
        {query ? highlighted(words, query) : words}
      </bdi>
      {flags.map((flag) => (
        <span key={flag} class={`sg-flag sg-flag-${flag}`}>
          {flag}
        </span>
      ))}
      {(time || tokens > 0) && (
        <>
          <span class="sg-bars" title={usageWords(time, tokens)}>
            <span class="sg-bar" style={{ width: share(seconds, rows.longest) }} />
            <span class="sg-bar sg-bar-tokens" style={{ width: share(tokens, rows.most) }} />
          </span>
          <span class="sg-time">{time}</span>
        </>
      )}
    </div>
  );
}

function usageWords(time: string, tokens: number): string {
  return [time, tokens > 0 && count(tokens, "token")].filter(Boolean).join(" · ");
}

/** At least a sliver where there is something. */
function share(part: number, whole: number): string {
  return part > 0 && whole > 0 ? `${Math.max(3, (100 * part) / whole).toFixed(1)}%` : "0";
}

function highlighted(words: string, query: RegExp) {
  // Split with a group gives the matches at odd places.
  return words.split(query).map((part, place) => (place % 2 ? <mark key={place}>{part}</mark> : part));
}

/** What finds a search's words in a label, without regard to case. */
export function queryPattern(query: string): RegExp | null {
  return query ? new RegExp(`(${query.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")})`, "giu") : null;
}

function Twisty({ isOpen }: { isOpen: boolean }) {
  return (
    <svg viewBox="0 0 10 10" aria-hidden="true">
      <path d={isOpen ? "M1 3h8L5 8z" : "M3 1v8l5-4z"} />
    </svg>
  );
}

export const SHAPES: Record<Shape, string> = {
  square: "M1 1h8v8H1z",
  dot: "M5 .6a4.4 4.4 0 1 0 .01 0z",
  ring: "M5 .6a4.4 4.4 0 1 0 .01 0zM5 2.6a2.4 2.4 0 1 1-.01 0z",
  diamond: "M5 0 10 5 5 10 0 5z",
  stack: "M0 0h7v7H0zM8 3h2v7H3V8h5z",
  triangle: "M5 .4 10 9.4H0z",
  bar: "M1 4h8v2.4H1z",
  person: "M5 .2a2.4 2.4 0 1 1-.01 0zM.6 10a4.4 4.4 0 0 1 8.8 0z",
};

export function Mark({ shape: of }: { shape: Shape }) {
  return (
    <svg class="sg-mark" viewBox="0 0 10 10" aria-hidden="true">
      <path fill-rule="evenodd" d={SHAPES[of]} />
    </svg>
  );
}
