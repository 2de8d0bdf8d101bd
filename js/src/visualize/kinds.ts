import { Flag, Kind } from "./model";
import type { Index } from "./pack";
import { kindText } from "./strings";

/** One meaning each, a colour and a shape for both the tree and the timeline. Later ones win where they share a pixel. */
export const TONES = ["info", "thinking", "prompt", "tool", "result", "error"] as const;
export type Tone = (typeof TONES)[number];
export type Shape = "square" | "ring" | "dot" | "diamond" | "stack" | "triangle" | "bar" | "person";

const SHAPES: Record<Tone, Shape> = {
  info: "bar",
  thinking: "ring",
  prompt: "square",
  tool: "diamond",
  result: "dot",
  error: "triangle",
};

const byName = new Map<string, Tone>();

/** The tone of a message type, by its name: `local_tool_call`, `thinking`. */
export function toneOfType(name: string): Tone {
  let tone = byName.get(name);
  if (!tone) {
    tone = /error/.test(name)
      ? "error"
      : /tool|confirm/.test(name)
        ? "tool"
        : /query|prompt/.test(name)
          ? "prompt"
          : /think/.test(name)
            ? "thinking"
            : /^result/.test(name)
              ? "result"
              : "info";
    byName.set(name, tone);
  }
  return tone;
}

export function tone(index: Index, node: number): Tone {
  if ((index.flags[node] as number) & Flag.error) return "error";
  const kind = index.kind[node];
  if (kind === Kind.turn) return "prompt";
  if (kind === Kind.tool || kind === Kind.group) return "tool";
  return kind === Kind.actor ? "info" : toneOfType(index.names.type[index.type[node] as number] ?? "");
}

export function shape(index: Index, node: number): Shape {
  if ((index.flags[node] as number) & Flag.error) return "triangle";
  const kind = index.kind[node];
  return kind === Kind.group ? "stack" : kind === Kind.actor ? "person" : SHAPES[tone(index, node)];
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
