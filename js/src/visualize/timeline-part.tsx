import { utc } from "../shared/format";
import { useUid } from "../shared/use-uid";
import type { TimelinePart } from "./model";
import { detailText as text } from "./strings";
import { TableView } from "./table-part";
import { ticks } from "./ticks";

const WIDTH = 640;
const LABELS = 120;
const LANE = 22;
/** Lanes of their own; what is in further groups shares the last. */
const LANES = 12;

/** Events in lanes by group, on an axis in UTC; the table below says the same. */
export function TimelineView({ part, onCopy }: { part: TimelinePart; onCopy(): void }) {
  const id = useUid();
  const { groups, lane } = lanes(part);
  const starts = part.events.map(({ start }) => start).filter(Number.isFinite);
  const ends = part.events.map(({ start, end }) => end ?? start).filter(Number.isFinite);
  const from = starts.reduce((least, each) => Math.min(least, each), Number.POSITIVE_INFINITY);
  const to = ends.reduce((most, each) => Math.max(most, each), from);
  const span = to - from || 1;
  const x = (time: number) => LABELS + 8 + ((time - from) / span) * (WIDTH - LABELS - 20);
  const height = groups.length * LANE + 22;
  return (
    <figure class="sg-picture">
      <figcaption id={id}>
        <bdi>{part.title}</bdi>
        <span class="sg-muted">{text.moments(part.events.length, groups.length)}</span>
      </figcaption>
      {starts.length > 0 && (
        <svg viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-labelledby={id}>
          <title>{part.title || text.moments(part.events.length, groups.length)}</title>
          {ticks(from, to, 4).map(({ time, words }) => (
            <g key={time} class="sg-tick">
              <line x1={x(time)} x2={x(time)} y1={0} y2={height - 18} />
              <text x={x(time)} y={height - 4} text-anchor={anchor(x(time))}>
                {words}
              </text>
            </g>
          ))}
          {groups.map((group, number) => (
            <text key={group} x={LABELS} y={number * LANE + 15} text-anchor="end">
              {short(group)}
              <title>{group}</title>
            </text>
          ))}
          {part.events.map((event, number) => {
            const top = lane(event.group) * LANE + 4;
            const words = `${event.label} · ${utc(event.start)}${event.end === null ? "" : ` – ${utc(event.end)}`}`;
            const begin = x(event.start);
            if (!Number.isFinite(begin)) return null;
            return event.end === null || x(event.end) - begin < 3 ? (
              <path key={number} class="sg-moment" d={`M${begin} ${top}l6 7-6 7-6-7z`}>
                <title>{words}</title>
              </path>
            ) : (
              <rect
                key={number}
                class="sg-span"
                x={begin}
                y={top}
                width={x(event.end) - begin}
                height={14}
                rx={2}
              >
                <title>{words}</title>
              </rect>
            );
          })}
        </svg>
      )}
      <details>
        <summary>{text.asTable}</summary>
        <TableView part={part.table} onCopy={onCopy} />
      </details>
    </figure>
  );
}

function lanes(part: TimelinePart) {
  const groups = [...new Set(part.events.map(({ group }) => group))];
  const own = groups.length > LANES ? [...groups.slice(0, LANES - 1), "…"] : groups;
  const numbers = new Map(groups.map((group, number) => [group, Math.min(number, own.length - 1)]));
  return { groups: own, lane: (group: string) => numbers.get(group) ?? 0 };
}

export const anchor = (x: number) => (x > WIDTH - 60 ? "end" : x < 60 ? "start" : "middle");

export function short(words: string, limit = 18): string {
  const letters = [...words];
  return letters.length > limit ? `${letters.slice(0, limit - 1).join("")}…` : words;
}
