import { Kind } from "../src/visualize/model";
import { emptyIndex, type Index, merge, readPack } from "../src/visualize/pack";

/** A line of the tree, with what stands below it. */
export interface Line {
  label: string;
  kind?: number;
  type?: string;
  actor?: string;
  flags?: number;
  time?: number;
  duration?: number;
  tokens?: number;
  status?: number;
  hasMessage?: boolean;
  below?: Line[];
}

const SCALARS = [
  ["message", "i32", Int32Array],
  ["size", "i32", Int32Array],
  ["depth", "u16", Uint16Array],
  ["kind", "u8", Uint8Array],
  ["flags", "u8", Uint8Array],
  ["actor", "u16", Uint16Array],
  ["type", "u16", Uint16Array],
  ["state", "u16", Uint16Array],
  ["role", "u16", Uint16Array],
  ["status", "i32", Int32Array],
  ["time", "f64", Float64Array],
  ["duration", "f32", Float32Array],
  ["tokens", "f32", Float32Array],
] as const;

export interface Place {
  seq?: number;
  start?: number;
  /** The number of its first message. */
  message?: number;
}

/** The pack of `model.ts`, as the kernel makes it. */
export function pack(lines: Line[], { seq = 0, start = 0, message = 0 }: Place = {}): Uint8Array {
  const rows: Record<string, number[]> = Object.fromEntries(SCALARS.map(([name]) => [name, []]));
  const names: Record<string, string[]> = { actor: [], type: [], state: [""], role: ["agent"] };
  const labels: string[] = [];
  let next = message;
  const put = (name: string, value: number) => rows[name]?.push(value) ?? 0;
  const number = (of: string, name: string) => {
    const list = names[of] as string[];
    return list.includes(name) ? list.indexOf(name) : list.push(name) - 1;
  };
  const add = (line: Line, depth: number): number => {
    const at = labels.push(line.label) - 1;
    put("message", line.hasMessage === false ? -1 : next++);
    put("size", 1);
    put("depth", Math.min(depth, 65535));
    put("kind", line.kind ?? (depth === 0 ? Kind.turn : Kind.message));
    put("flags", line.flags ?? 0);
    put("actor", number("actor", line.actor ?? "analyst"));
    put("type", number("type", line.type ?? (depth === 0 ? "query" : "info")));
    put("state", 0);
    put("role", 0);
    put("status", line.status ?? 200);
    put("time", line.time ?? Number.NaN);
    put("duration", line.duration ?? Number.NaN);
    put("tokens", line.tokens ?? 0);
    const size = (line.below ?? []).reduce((sum, child) => sum + add(child, depth + 1), 1);
    (rows.size as number[])[at] = size;
    return size;
  };
  for (const line of lines) add(line, 0);
  const text = labels.map((label) => new TextEncoder().encode(label));
  const ends = [0];
  for (const each of text) ends.push((ends.at(-1) ?? 0) + each.length);
  const parts: [string, string, ArrayBufferView, number][] = SCALARS.map(([name, kind, Kinds]) => {
    const values = Kinds.from(rows[name] ?? []);
    return [name, kind, values, values.length];
  });
  parts.push(["label", "u32", Uint32Array.from(ends), ends.length]);
  parts.push(["text", "u8", Uint8Array.from(text.flatMap((each) => [...each])), ends.at(-1) ?? 0]);
  return assembled({ seq, start, nodes: labels.length, messages: next, names }, parts);
}

export function assembled(header: object, parts: [string, string, ArrayBufferView, number][]): Uint8Array {
  const room = 8192;
  let offset = room;
  const columns = parts.map(([name, kind, body, length]) => {
    const column = [name, kind, offset, length];
    offset += Math.ceil(body.byteLength / 8) * 8;
    return column;
  });
  const head = new TextEncoder().encode(JSON.stringify({ ...header, columns }));
  const bytes = new Uint8Array(offset);
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 4);
  parts.forEach(([, , body], n) => {
    bytes.set(new Uint8Array(body.buffer, body.byteOffset, body.byteLength), columns[n]?.[2] as number);
  });
  return bytes;
}

export function indexOf(lines: Line[]): Index {
  return merge(emptyIndex(), readPack(pack(lines)));
}

/** Two turns, as most tests need: 6 messages and an actor's line without one. */
export const SESSION: Line[] = [
  {
    label: "1 › Who logged in?",
    time: 100,
    duration: 5,
    below: [
      { label: "I read the log", type: "thinking", time: 101, tokens: 10 },
      {
        label: "auth_timeline",
        kind: Kind.tool,
        type: "local_tool_call",
        actor: "tools",
        time: 102,
        duration: 1,
      },
      { label: "Two failed", type: "result", time: 104, tokens: 40 },
    ],
  },
  {
    label: "2 › And why?",
    time: 200,
    below: [
      {
        label: "network_agent",
        kind: Kind.actor,
        hasMessage: false,
        actor: "network_agent",
        below: [
          { label: "PREAUTH required", type: "result", actor: "network_agent", time: 201, status: 500 },
        ],
      },
    ],
  },
];
