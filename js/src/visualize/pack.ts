import { tones } from "./kinds";
import type { ColumnName, IndexHeader } from "./model";

type Names = IndexHeader["names"];
type Column = Uint8Array | Uint16Array | Int16Array | Int32Array | Uint32Array | Float32Array | Float64Array;

/** The nodes of a session as columns; `parent` is ours. Names keep their numbers for as long as the view lives. */
export interface Index {
  messages: number;
  nodes: number;
  names: Names;
  parent: Int32Array;
  /** The number of each node's tone, see `kinds.ts`; ours too. */
  tone: Uint8Array;
  message: Int32Array;
  size: Int32Array;
  depth: Uint16Array;
  kind: Uint8Array;
  flags: Uint8Array;
  actor: Int32Array;
  type: Int32Array;
  state: Int32Array;
  role: Int32Array;
  status: Int32Array;
  time: Float64Array;
  duration: Float64Array;
  tokens: Float64Array;
  label: Uint32Array;
  text: Uint8Array;
}

export interface Pack {
  header: IndexHeader;
  columns: Record<ColumnName, Column>;
}

const KINDS = {
  u8: Uint8Array,
  u16: Uint16Array,
  i16: Int16Array,
  i32: Int32Array,
  u32: Uint32Array,
  f32: Float32Array,
  f64: Float64Array,
};

const COLUMNS: ColumnName[] = [
  "message", "size", "depth", "kind", "flags", "actor", "type", "state", "role", "status", "time", "duration",
  "tokens", "label", "text",
]; // biome-ignore format: a list

const utf8 = new TextDecoder();

/**
 * Reads a pack of the kernel's.
 *
 * @throws Error when it is none, or says something that cannot be.
 */
export function readPack(bytes: DataView | ArrayBuffer | Uint8Array): Pack {
  const { buffer, at, length } = aligned(bytes);
  check(length >= 4, "it is too short");
  const headerLength = new DataView(buffer, at, 4).getUint32(0, true);
  check(headerLength <= length - 4, "its header is cut");
  const header = JSON.parse(utf8.decode(new Uint8Array(buffer, at + 4, headerLength))) as IndexHeader;
  check(Number.isInteger(header.nodes) && header.nodes >= 0, "it counts no nodes");
  check(Number.isInteger(header.start) && header.start >= 0, "it begins nowhere");
  const columns: Partial<Record<ColumnName, Column>> = {};
  for (const [name, kind, offset, count] of header.columns) {
    const Kind = KINDS[kind];
    check(Kind !== undefined && offset % 8 === 0, `column ${name} is of an unknown kind`);
    check(offset + count * Kind.BYTES_PER_ELEMENT <= length, `column ${name} is cut`);
    columns[name] = new Kind(buffer, at + offset, count);
  }
  for (const name of COLUMNS) {
    const expected = name === "text" ? columns.text?.length : header.nodes + (name === "label" ? 1 : 0);
    check(columns[name] !== undefined && columns[name].length === expected, `column ${name} is missing`);
  }
  const whole = columns as Record<ColumnName, Column>;
  checkLabels(whole.label, whole.text.length);
  return { header, columns: whole };
}

function check(holds: boolean, words: string): asserts holds {
  if (!holds) throw new Error(words);
}

function checkLabels(label: Column, end: number): void {
  let before = 0;
  for (let node = 0; node < label.length; node++) {
    const offset = label[node] ?? 0;
    check(offset >= before && offset <= end, "a label lies outside of its text");
    before = offset;
  }
}

/** Columns are views on the bytes where these lie as the pack wants it; a transport may have moved them. */
function aligned(bytes: DataView | ArrayBuffer | Uint8Array) {
  if (bytes instanceof ArrayBuffer) return { buffer: bytes, at: 0, length: bytes.byteLength };
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteOffset % 8 === 0 && buffer instanceof ArrayBuffer)
    return { buffer, at: byteOffset, length: byteLength };
  const copy = new Uint8Array(byteLength);
  copy.set(new Uint8Array(buffer, byteOffset, byteLength));
  return { buffer: copy.buffer, at: 0, length: byteLength };
}

const NAMED = ["actor", "type", "state", "role"] as const;

/**
 * `before` with all nodes from the pack's `start` on replaced by the pack's.
 *
 * @throws Error when the pack does not fit: ask for a full one.
 */
export function merge(before: Index, pack: Pack): Index {
  const { header, columns } = pack;
  const { start } = header;
  check(start <= before.nodes, "it begins after the last node that is known");
  const nodes = start + header.nodes;
  const names = { ...before.names };
  const index: Index = {
    messages: header.messages,
    nodes,
    names,
    parent: new Int32Array(0),
    tone: new Uint8Array(0),
    message: joined(new Int32Array(nodes), before.message, columns.message, start),
    size: joined(new Int32Array(nodes), before.size, columns.size, start),
    depth: joined(new Uint16Array(nodes), before.depth, columns.depth, start),
    kind: joined(new Uint8Array(nodes), before.kind, columns.kind, start),
    flags: joined(new Uint8Array(nodes), before.flags, columns.flags, start),
    actor: joined(new Int32Array(nodes), before.actor, columns.actor, start),
    type: joined(new Int32Array(nodes), before.type, columns.type, start),
    state: joined(new Int32Array(nodes), before.state, columns.state, start),
    role: joined(new Int32Array(nodes), before.role, columns.role, start),
    status: joined(new Int32Array(nodes), before.status, columns.status, start),
    time: joined(new Float64Array(nodes), before.time, columns.time, start),
    duration: joined(new Float64Array(nodes), before.duration, columns.duration, start),
    tokens: joined(new Float64Array(nodes), before.tokens, columns.tokens, start),
    ...joinedLabels(before, columns, start),
  };
  for (const name of NAMED) {
    const { list, numbers } = union(before.names[name], header.names[name]);
    names[name] = list;
    if (numbers)
      for (let node = start; node < nodes; node++) index[name][node] = numbers[index[name][node] ?? 0] ?? 0;
  }
  index.parent = parents(index.size);
  index.tone = tones(index);
  for (const message of index.message)
    check(message >= -1 && message < index.messages, "a node has a message that is not there");
  return index;
}

function joined<T extends Column>(into: T, before: Column, news: Column, start: number): T {
  into.set(before.subarray(0, start));
  into.set(news, start);
  return into;
}

function joinedLabels(before: Index, columns: Pack["columns"], start: number) {
  const kept = before.label[start] ?? 0;
  const text = joined(new Uint8Array(kept + columns.text.length), before.text, columns.text, kept);
  const label = new Uint32Array(start + columns.label.length);
  label.set(before.label.subarray(0, start));
  for (let n = 0; n < columns.label.length; n++) label[start + n] = kept + (columns.label[n] ?? 0);
  return { label, text };
}

/** One list of names for both, the old ones first; `numbers` says where the new ones are in it, if they moved. */
function union(before: string[], news: string[]): { list: string[]; numbers?: number[] } {
  if (before.every((name, number) => news[number] === name)) return { list: news };
  const known = new Map(before.map((name, number) => [name, number]));
  const list = [...before];
  const numbers = news.map((name) => {
    const number = known.get(name) ?? list.push(name) - 1;
    known.set(name, number);
    return number;
  });
  return { list, numbers };
}

/** Each node's parent, -1 for those at the top; checks that trees lie within trees. */
function parents(size: Int32Array): Int32Array {
  const parent = new Int32Array(size.length);
  let above = -1;
  for (let node = 0; node < size.length; node++) {
    while (above >= 0 && node >= above + (size[above] as number)) above = parent[above] as number;
    const end = above < 0 ? size.length : above + (size[above] as number);
    check(
      (size[node] as number) >= 1 && node + (size[node] as number) <= end,
      "its trees do not fit together",
    );
    parent[node] = above;
    above = node;
  }
  return parent;
}

export function emptyIndex(): Index {
  const none = new Int32Array(0);
  return {
    messages: 0,
    nodes: 0,
    names: { actor: [], type: [], state: [], role: [] },
    parent: none,
    tone: new Uint8Array(0),
    message: none,
    size: none,
    depth: new Uint16Array(0),
    kind: new Uint8Array(0),
    flags: new Uint8Array(0),
    actor: none,
    type: none,
    state: none,
    role: none,
    status: none,
    time: new Float64Array(0),
    duration: new Float64Array(0),
    tokens: new Float64Array(0),
    label: new Uint32Array(1),
    text: new Uint8Array(0),
  };
}

export function label(index: Index, node: number): string {
  return utf8.decode(index.text.subarray(index.label[node], index.label[node + 1]));
}

/** The nodes that have a message, by the message's position. */
export function nodesByMessage(index: Index): Int32Array {
  const nodes = new Int32Array(index.messages).fill(-1);
  for (let node = 0; node < index.nodes; node++) {
    const message = index.message[node] as number;
    if (message >= 0) nodes[message] = node;
  }
  return nodes;
}
