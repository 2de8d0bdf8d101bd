import { TONES, type Tone } from "./kinds";
import type { Lanes, Scale } from "./overview-scale";
import { spanOf } from "./overview-scale";
import type { Index } from "./pack";

export const LANE_HEIGHT = 20;
/** A moment is so wide. */
const MOMENT = 4;

export interface Drawing {
  index: Index;
  order: Int32Array;
  lanes: Lanes;
  scale: Scale;
  /** Nodes that match, if anything is filtered: others are faint. */
  matching: Uint8Array | null;
}

/** Which tone each pixel of each lane has, 1 + its number, 0 for none: whatever the size, one pass and no overdrawing. */
export function pixels({ index, order, lanes, scale, matching }: Drawing, width: number, factor: number) {
  const bright = lanes.names.map(() => new Uint8Array(width));
  const faint = lanes.names.map(() => new Uint8Array(width));
  for (const node of order) {
    const lane = (matching && !matching[node] ? faint : bright)[lanes.of(node)] as Uint8Array;
    const time = index.time[node] as number;
    const from = Math.round(scale.x(time) * factor);
    const to = Math.max(from + MOMENT * factor, scale.x(time + spanOf(index, node)) * factor);
    const value = (index.tone[node] as number) + 1;
    for (let x = Math.max(0, from); x < Math.min(width, to); x++)
      if ((lane[x] as number) < value) lane[x] = value;
  }
  return { bright, faint };
}

export function draw(
  canvas: HTMLCanvasElement,
  drawing: Drawing,
  width: number,
  colours: Record<Tone, string> & { lane: string; gap: string },
): void {
  const factor = Math.min(3, window.devicePixelRatio || 1);
  const height = drawing.lanes.names.length * LANE_HEIGHT;
  canvas.width = Math.round(width * factor);
  canvas.height = Math.round(height * factor);
  const context = canvas.getContext("2d");
  if (!context) return;
  const top = (lane: number) => (lane * LANE_HEIGHT + 3) * factor;
  const tall = (LANE_HEIGHT - 6) * factor;
  context.fillStyle = colours.lane;
  for (let lane = 0; lane < drawing.lanes.names.length; lane++)
    context.fillRect(0, top(lane), canvas.width, tall);
  const { bright, faint } = pixels(drawing, canvas.width, factor);
  const paint = (values: Uint8Array, lane: number) => {
    for (let x = 0; x < values.length; ) {
      const value = values[x] as number;
      let end = x + 1;
      while (end < values.length && values[end] === value) end++;
      if (value > 0) {
        context.fillStyle = colours[TONES[value - 1] as Tone];
        context.fillRect(x, top(lane), end - x, tall);
      }
      x = end;
    }
  };
  context.globalAlpha = 0.25;
  faint.forEach(paint);
  context.globalAlpha = 1;
  bright.forEach(paint);
  context.strokeStyle = colours.gap;
  context.lineWidth = factor;
  context.setLineDash([2 * factor, 2 * factor]);
  for (const gap of drawing.scale.gaps) {
    const x = (gap.x + gap.width / 2) * factor;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, canvas.height);
    context.stroke();
  }
}

/** The node drawn nearest to a place: in its lane if one is near, the shortest of those that cover it. */
export function nearest({ index, order, lanes, scale }: Drawing, x: number, lane: number): number {
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  for (const node of order) {
    const time = index.time[node] as number;
    const span = spanOf(index, node);
    const from = scale.x(time);
    const to = Math.max(from + MOMENT, scale.x(time + span));
    const distance =
      (x < from ? from - x : x > to ? x - to : Math.min(0.9, (to - from) / 1e5)) +
      (lanes.of(node) === lane ? 0 : 40);
    if (distance <= least) {
      least = distance;
      best = node;
    }
  }
  return best;
}
