import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { duration, utc } from "../shared/format";
import { useUid } from "../shared/use-uid";
import { type Cell, useCell } from "./cell";
import { kindWords, TONES, type Tone } from "./kinds";
import { draw, LANE_HEIGHT, nearest } from "./overview-draw";
import { inTime, lanesOf, type Scale, timeScale } from "./overview-scale";
import { label } from "./pack";
import type { Picture } from "./picture";
import { overviewText as text } from "./strings";
import { ticks, timeWords } from "./ticks";
import { useWidth } from "./use-width";

export type Lines = readonly [first: number, last: number];

export interface OverviewProps {
  picture: Picture;
  /** First and last line of the tree that are seen. */
  seen: Cell<Lines>;
  /** The pointer is at a node, or at none: -1. */
  onHover(node: number): void;
}

/** The session in time, below the tree: a lane an actor, one for tool calls, long idle times shortened. */
export function Overview({ picture, seen, onHover }: OverviewProps) {
  const { index } = picture;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [track, width] = useWidth<HTMLDivElement>(600);
  const id = useUid();
  const theme = useTheme();
  const order = useMemo(() => inTime(index), [index]);
  const lanes = useMemo(() => lanesOf(index, order, text.tools, text.others), [order]);
  const scale = useMemo(() => (order.length > 0 ? timeScale(index, order, width) : null), [order, width]);
  const matching = picture.matched.nodes;
  const drawing = scale && { index, order, lanes, scale, matching };
  // What a filter hides is drawn, faintly, but not walked through.
  const walk = useMemo(() => (matching ? order.filter((node) => matching[node]) : order), [order, matching]);
  const palette = useRef<HTMLSpanElement>(null);

  useLayoutEffect(() => {
    if (canvas.current && drawing && palette.current)
      draw(canvas.current, drawing, width, colours(palette.current));
  }, [scale, picture.matched, theme]);

  if (!drawing || !scale) return index.nodes > 0 ? <p class="sg-overview sg-muted">{text.unknown}</p> : null;

  const place = walk.indexOf(picture.active);
  const go = (to: number) => {
    const node = walk[Math.max(0, Math.min(walk.length - 1, to))];
    if (node !== undefined) picture.show(node);
  };

  function press(event: KeyboardEvent) {
    const moves: Record<string, number> = {
      ArrowRight: place + 1,
      ArrowUp: place + 1,
      ArrowLeft: place - 1,
      ArrowDown: place - 1,
      Home: 0,
      End: walk.length - 1,
      PageUp: place + Math.ceil(walk.length / 10),
      PageDown: place - Math.ceil(walk.length / 10),
    };
    if (moves[event.key] === undefined) return;
    event.preventDefault();
    go(moves[event.key] as number);
  }

  function at(event: MouseEvent): number {
    if (!drawing) return -1;
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return nearest(
      { ...drawing, order: walk },
      event.clientX - box.left,
      Math.floor((event.clientY - box.top) / LANE_HEIGHT),
    );
  }

  const height = lanes.names.length * LANE_HEIGHT;
  return (
    <div class="sg-overview">
      <div class="sg-lanes" aria-hidden="true" style={{ height: `${height}px` }}>
        {lanes.names.map((name) => (
          <bdi key={name} title={name}>
            {name}
          </bdi>
        ))}
      </div>
      <div
        ref={track}
        class="sg-track"
        role="slider"
        tabIndex={0}
        aria-label={text.label}
        aria-describedby={id}
        aria-valuemin={1}
        aria-valuemax={Math.max(1, walk.length)}
        aria-valuenow={place + 1 || 1}
        aria-valuetext={place < 0 ? text.nowhere : nodeWords(picture, walk[place] as number)}
        style={{ height: `${height}px` }}
        onKeyDown={press}
        onClick={(event) => {
          const node = at(event);
          if (node >= 0) picture.show(node, event.ctrlKey || event.metaKey ? "toggle" : "only");
        }}
        onPointerMove={(event) => onHover(at(event))}
        onPointerLeave={() => onHover(-1)}
      >
        <canvas ref={canvas} style={{ width: `${width}px`, height: `${height}px` }} />
        <WindowMark picture={picture} scale={scale} seen={seen} />
        {scale.gaps.map((gap) => (
          <span
            key={gap.x}
            class="sg-gap"
            style={{ left: `${gap.x}px`, width: `${gap.width}px` }}
            title={text.gap(duration(gap.seconds) || `${Math.round(gap.seconds / 86_400)} d`)}
          />
        ))}
        {place >= 0 && (
          <span class="sg-now" style={{ left: `${scale.x(index.time[picture.active] as number)}px` }} />
        )}
      </div>
      <span class="sg-axis-zone" aria-hidden="true">
        UTC
      </span>
      <Axis scale={scale} width={width} />
      <span class="sg-lane-colour" ref={palette} aria-hidden="true">
        {TONES.map((each) => (
          <span key={each} class={`sg-tone-${each}`} data-tone={each} />
        ))}
      </span>
      <p id={id} class="sg-hidden">
        {summary(picture, order, lanes.names, scale)}
      </p>
    </div>
  );
}

/** A node in words. */
export function nodeWords({ index }: Picture, node: number): string {
  const time = index.time[node] as number;
  const words = [kindWords(index, node), label(index, node), Number.isNaN(time) ? "" : utc(time)];
  return words.filter(Boolean).join(" · ");
}

function summary({ index }: Picture, order: Int32Array, names: string[], scale: Scale): string {
  const from = index.time[order[0] as number] as number;
  const to = index.time[order[order.length - 1] as number] as number;
  return text.summary(utc(from), utc(to), names.join(", "), scale.gaps.length);
}

/** Where in time the lines lie that the tree shows now. */
function WindowMark({ picture, scale, seen }: { picture: Picture; scale: Scale; seen: Cell<Lines> }) {
  const [first, last] = useCell(seen);
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (let row = first; row <= Math.min(last, picture.rows.nodes.length - 1); row++) {
    const time = picture.index.time[picture.rows.nodes[row] as number] as number;
    if (time < from) from = time;
    if (time > to) to = time;
  }
  if (!Number.isFinite(from)) return null;
  const left = scale.x(from);
  return (
    <span
      class="sg-window"
      style={{ left: `${left}px`, width: `${Math.max(4, scale.x(to) - left + 4)}px` }}
    />
  );
}

/** Times below the lanes, as many as have room. */
function Axis({ scale, width }: { scale: Scale; width: number }) {
  const isLong = (scale.segments.at(-1)?.to ?? 0) - (scale.segments[0]?.from ?? 0) > 86_400;
  const shown: { x: number; words: string }[] = [];
  for (const segment of scale.segments) {
    const inside = ticks(segment.from, segment.to, Math.floor(segment.width / 90));
    const first = { time: segment.from, words: timeWords(segment.from, isLong ? 3600 : 1) };
    for (const { time, words } of inside.length > 1 ? inside : [first]) {
      const x = scale.x(time);
      if (x >= (shown.at(-1)?.x ?? -80) + 80 && x < width - 76) shown.push({ x, words });
    }
  }
  return (
    <div class="sg-axis" aria-hidden="true">
      {shown.map(({ x, words }) => (
        <span key={x} style={{ left: `${x}px` }}>
          {words}
        </span>
      ))}
    </div>
  );
}

/** The theme's colours as a canvas takes them, from hidden elements that have them as everything else does. */
function colours(palette: HTMLElement): Record<Tone, string> & { lane: string; gap: string } {
  const of = (element: Element | null) => (element ? getComputedStyle(element).color : "gray");
  const found = TONES.map((each) => [each, of(palette.querySelector(`[data-tone="${each}"]`))]);
  const tones = Object.fromEntries(found) as Record<Tone, string>;
  return { ...tones, lane: of(palette), gap: of(palette.parentElement) };
}

/** A number that goes up when Jupyter's or the system's theme changes. */
function useTheme(): number {
  const [number, raise] = useState(0);
  useEffect(() => {
    const raiseOnce = () => raise((before) => before + 1);
    let timer = 0;
    // Again a moment later: a theme's style sheet may come after its name.
    const change = () => {
      raiseOnce();
      clearTimeout(timer);
      timer = window.setTimeout(raiseOnce, 400);
    };
    const observer = new MutationObserver(change);
    observer.observe(document.body, {
      attributes: true,
      attributeFilter: ["class", "data-jp-theme-name", "data-jp-theme-light"],
    });
    const queries = ["(prefers-color-scheme: dark)", "(forced-colors: active)"].map((query) =>
      matchMedia(query),
    );
    for (const query of queries) query.addEventListener("change", change);
    return () => {
      clearTimeout(timer);
      observer.disconnect();
      for (const query of queries) query.removeEventListener("change", change);
    };
  }, []);
  return number;
}
