import {
  forceCenter,
  forceCollide,
  forceLink,
  forceManyBody,
  forceSimulation,
  forceX,
  forceY,
} from "d3-force";
import { useMemo } from "preact/hooks";
import { useUid } from "../shared/use-uid";
import type { Shape } from "./kinds";
import type { GraphPart } from "./model";
import { detailText as text } from "./strings";
import { TableView } from "./table-part";
import { short } from "./timeline-part";
import { Mark, SHAPES } from "./tree-row";

const WIDTH = 640;
const HEIGHT = 360;
const EDGE = 40;
/** Beyond these, words would cover each other. */
const NAMED_NODES = 60;
const NAMED_EDGES = 40;
/** Types of nodes differ in colour and shape. */
const COLOURS = 6;
const MARKS: Shape[] = ["dot", "square", "diamond", "triangle", "ring", "stack"];

interface Place {
  index?: number;
  x?: number;
  y?: number;
}

/** A graph, laid out once and always the same way; the table below says the same. */
export function GraphView({ part, onCopy }: { part: GraphPart; onCopy(): void }) {
  const id = useUid();
  const { places, edges, height } = useMemo(() => layOut(part), [part]);
  const types = [...new Set(part.nodes.map(({ type }) => type))];
  const at = (node: number) => places[node] ?? { x: 0, y: 0 };
  return (
    <figure class="sg-picture">
      <figcaption id={id}>
        <bdi>{part.title}</bdi>
        <span class="sg-muted">{text.graph(part.nodes.length, part.edges.length)}</span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-labelledby={id}>
        <title>{part.title || text.graph(part.nodes.length, part.edges.length)}</title>
        <defs>
          <marker
            id={`${id}-arrow`}
            viewBox="0 0 8 8"
            refX="14"
            refY="4"
            markerWidth="7"
            markerHeight="7"
            orient="auto"
          >
            <path class="sg-arrow" d="M0 0l8 4-8 4z" />
          </marker>
        </defs>
        {edges.map(({ source, target, label }, number) => (
          <g key={number} class="sg-edge">
            <line
              x1={at(source).x}
              y1={at(source).y}
              x2={at(target).x}
              y2={at(target).y}
              marker-end={`url(#${id}-arrow)`}
            >
              <title>{edgeWords(part, source, target, label)}</title>
            </line>
            {label && edges.length <= NAMED_EDGES && (
              <text x={(at(source).x + at(target).x) / 2} y={(at(source).y + at(target).y) / 2 - 3}>
                {short(label, 16)}
              </text>
            )}
          </g>
        ))}
        {part.nodes.map((node, number) => (
          <g key={node.id} class={`sg-node sg-colour-${types.indexOf(node.type) % COLOURS}`}>
            <path
              fill-rule="evenodd"
              transform={`translate(${at(number).x - 7} ${at(number).y - 7}) scale(1.4)`}
              d={SHAPES[MARKS[types.indexOf(node.type) % COLOURS] ?? "dot"]}
            />
            {part.nodes.length <= NAMED_NODES && (
              <text x={at(number).x} y={at(number).y + 18}>
                {short(node.label || node.id, 20)}
              </text>
            )}
            <title>{[node.label || node.id, node.type].filter(Boolean).join(" · ")}</title>
          </g>
        ))}
      </svg>
      {types.some(Boolean) && (
        <ul class="sg-legend">
          {types.slice(0, 2 * COLOURS).map((type, number) => (
            <li key={type} class={`sg-colour-${number % COLOURS}`}>
              <Mark shape={MARKS[number % COLOURS] ?? "dot"} />
              <bdi>{type || "–"}</bdi>
            </li>
          ))}
        </ul>
      )}
      <details>
        <summary>{text.asTable}</summary>
        <TableView part={part.table} onCopy={onCopy} />
      </details>
    </figure>
  );
}

function edgeWords({ nodes }: GraphPart, source: number, target: number, label: string): string {
  const name = (node: number) => nodes[node]?.label || nodes[node]?.id || "?";
  return `${name(source)} → ${name(target)}${label ? `: ${label}` : ""}`;
}

/** d3's forces begin in a spiral and use a generator of their own: the same graph looks the same each time. */
function layOut(part: GraphPart) {
  const places: Place[] = part.nodes.map(() => ({}));
  const edges = part.edges.filter(({ source, target }) => part.nodes[source] && part.nodes[target]);
  const simulation = forceSimulation(places)
    .force("link", forceLink(edges.map(({ source, target }) => ({ source, target }))).distance(80))
    .force("charge", forceManyBody().strength(-180).distanceMax(300))
    .force("collide", forceCollide(16))
    .force("center", forceCenter(WIDTH / 2, HEIGHT / 2))
    .force("x", forceX(WIDTH / 2).strength(0.04))
    .force("y", forceY(HEIGHT / 2).strength(0.09))
    .stop();
  simulation.tick(part.nodes.length > 150 ? 80 : 200);
  return { ...fitted(places), edges };
}

/** All of them within a picture that is as high as they need. */
function fitted(places: Place[]): { places: { x: number; y: number }[]; height: number } {
  const xs = places.map(({ x = 0 }) => x);
  const ys = places.map(({ y = 0 }) => y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = Math.min(
    1,
    (WIDTH - 2 * EDGE) / Math.max(1, right - left),
    (HEIGHT - 2 * EDGE) / Math.max(1, bottom - top),
  );
  return {
    places: places.map(({ x = 0, y = 0 }) => ({
      x: WIDTH / 2 + (x - (left + right) / 2) * scale,
      y: EDGE + (y - top) * scale,
    })),
    height: places.length > 0 ? 2 * EDGE + (bottom - top) * scale : 0,
  };
}
