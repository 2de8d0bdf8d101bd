import { Flag, Kind } from "./model";
import type { Index } from "./pack";
import { kindText } from "./strings";

/** One meaning each, a colour and a shape for both the tree and the timeline. Later ones win where they share a pixel. */
export const TONES = ["info", "thinking", "prompt", "tool", "result", "error"] as const;
export type Tone = (typeof TONES)[number];
export type Shape = "square" | "ring" | "dot" | "diamond" | "stack" | "triangle" | "bar" | "person";

export const SHAPE_OF: Record<Tone, Shape> = {
  info: "bar",
  thinking: "ring",
  prompt: "square",
  tool: "diamond",
  result: "dot",
  error: "triangle",
};

/** Message types by their names, the first that fits; all others are info. */
const TYPES: [RegExp, Tone][] = [
  [/error/, "error"],
  [/tool|confirm/, "tool"],
  [/query|prompt/, "prompt"],
  [/think/, "thinking"],
  [/^result/, "result"],
];

/** The number of each node's tone. What a tool call tells on its way belongs to the call. */
export function tones(index: Index): Uint8Array {
  const { kind, flags, parent } = index;
  const number = (tone: Tone) => TONES.indexOf(tone);
  const ofType = index.names.type.map((name) =>
    number(TYPES.find(([pattern]) => pattern.test(name))?.[1] ?? "info"),
  );
  const [info, prompt, tool, error] = [number("info"), number("prompt"), number("tool"), number("error")];
  const found = new Uint8Array(index.nodes);
  for (let node = 0; node < index.nodes; node++) {
    const is = kind[node];
    let tone = is === Kind.message ? (ofType[index.type[node] as number] ?? info) : info;
    if (is === Kind.turn) tone = prompt;
    if (is === Kind.tool || is === Kind.group || (tone === info && found[parent[node] ?? -1] === tool))
      tone = tool;
    found[node] = (flags[node] as number) & Flag.error ? error : tone;
  }
  return found;
}

export function tone(index: Index, node: number): Tone {
  return TONES[index.tone[node] as number] ?? "info";
}

export function shape(index: Index, node: number): Shape {
  if ((index.flags[node] as number) & Flag.error) return "triangle";
  const kind = index.kind[node];
  if (kind === Kind.group) return "stack";
  if (kind === Kind.actor) return "person";
  // Within a call, what it tells has its colour and a shape of its own.
  const isCall = kind === Kind.tool || index.kind[index.parent[node] ?? -1] !== Kind.tool;
  return isCall || tone(index, node) !== "tool" ? SHAPE_OF[tone(index, node)] : "bar";
}

/** What a node is, in a word or two. */
export function kindWords(index: Index, node: number): string {
  if (index.kind[node] !== Kind.message) return kindText[index.kind[node] as number] ?? "";
  return (index.names.type[index.type[node] as number] ?? "").replaceAll("_", " ");
}

const FLAGS = [
  [Flag.running, "running"],
  [Flag.error, "error"],
  [Flag.orphan, "orphan"],
  [Flag.circle, "circle"],
  [Flag.partial, "partial"],
] as const;

/** What is wrong or not yet done with a node, in words. */
export function flagWords(flags: number): (typeof FLAGS)[number][1][] {
  return flags ? FLAGS.filter(([flag]) => flags & flag).map(([, words]) => words) : [];
}
