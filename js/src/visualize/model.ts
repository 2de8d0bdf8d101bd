/** The traits of `VisualizeWidget`, spelled as in Python; `tests/widgets/test_visualize.py` compares the two. */
export interface VisualizeTraits {
  /** Empty where a table is shown and no session. */
  session_id: string;
  session_name: string;
  /**
   * The packed index (below). One that is too large for a saved notebook is emptied after the first call of a view:
   * who has it, ignores that; who opens later, asks `read_index`. While a turn runs it is older than what the feed
   * told; at the turn's end it is set anew.
   */
  index: DataView | ArrayBuffer | Uint8Array;
  /**
   * Positions of the selected messages, ascending. The view sets it to those of the selected nodes and of all that a
   * filter or search leaves below them; Python may set any.
   */
  selected: number[];
  /** Whether a turn of this kernel is running in the session. */
  running: boolean;
  /** With `embed=True`: what `read` would answer, by the message's position. Else empty. */
  embedded: Record<string, Detail>;
}

/*
 * The packed index: u32 (little endian) length of the header, the header as UTF-8 JSON, then the columns, each at an
 * offset that is a multiple of 8. One entry a node; nodes stand in preorder, so that the tree of node `n` is
 * `n … n + size[n] - 1`, and its children begin at `n + 1`.
 *
 * An event of the feed has the same pack as its buffer: its nodes replace all nodes from `start` on.
 */
export interface IndexHeader {
  /** Number of the last event that this copy knows. */
  seq: number;
  /** Number of the first node in here; 0 in a full index. */
  start: number;
  nodes: number;
  /** How many messages the session has. */
  messages: number;
  /** What the columns of these names point into. All are safe to show; the first is "", where a node has none. */
  names: { actor: string[]; type: string[]; state: string[]; role: string[] };
  /** Name, kind of array, offset in bytes from the pack's beginning, entries. */
  columns: [
    name: ColumnName,
    kind: "u8" | "u16" | "i16" | "i32" | "u32" | "f32" | "f64",
    offset: number,
    length: number,
  ][];
}

/**
 * - `message`: position of the node's own message, -1 where it has none (an actor, calls made together)
 * - `size`, `depth`: nodes in its tree, itself included; 0 for a turn
 * - `kind`: see `Kind` · `flags`: see `Flag`
 * - `actor`, `type`, `state`, `role`: into `names` · `status`: the message's status code
 * - `time`: when it began, Unix seconds, NaN where unknown · `duration`: seconds from there, NaN where unknown ·
 *   `tokens`: 0 where unknown
 * - `label`: where its label begins in `text` (UTF-8, safe to show, one line); one entry more than nodes
 */
export type ColumnName =
  | "message" | "size" | "depth" | "kind" | "flags" | "actor" | "type" | "state" | "role" | "status" | "time"
  | "duration" | "tokens" | "label" | "text"; // biome-ignore format: a list

export const Kind = { turn: 0, actor: 1, group: 2, tool: 3, message: 4 } as const;

export const Flag = { orphan: 1, circle: 2, error: 4, running: 8, partial: 16 } as const;

/** Calls to the kernel: method → what it takes, and what it gives. Buffers stand behind the +. */
export interface Calls {
  /** The full index: `{seq}` + pack. */
  read_index: [Record<string, never>, { seq: number }];
  /** What messages say, at most 20 at a time. */
  read: [{ messages: number[] }, { details: Detail[] }];
  /** Messages whose content or title holds `text`, without regard to case: how many + i32 positions, ascending. */
  search: [{ text: string }, { count: number }];
  /** The selected messages, or all, as a file: name and MIME type + the bytes. */
  export: [{ format: "markdown" | "jsonl"; scope: "selected" | "all" }, { name: string; mime_type: string }];
  /** A message's content exactly as it came, neither cleaned nor defanged; of a part that is or has a table, that as TSV. */
  copy: [{ message: number; part?: number }, { text: string; is_cut: boolean }];
  /** Read the session afresh from the service; news come by the feed. */
  refresh: [Record<string, never>, null];
}

/** One message, ready to show: every text is safe and defanged. */
export interface Detail {
  message: number;
  /** Its type in words: "result", "tool call". */
  heading: string;
  title: string;
  /** Label and value: actor, turn, time, state, status, MIME type, size, sha256, ids, tokens. */
  facts: [string, string][];
  parts: Part[];
}

export type Part = HtmlPart | TablePart | TimelinePart | GraphPart;

/** From the kernel's `render/`; shown through `SafeHtml`. */
export interface HtmlPart {
  kind: "html";
  html: string;
}

export interface TablePart {
  kind: "table";
  title: string;
  columns: string[];
  rows: string[][];
  /** Whether a column holds numbers: they stand right, and are sorted as numbers. */
  numeric: boolean[];
  /** Rows that are not in here. */
  more: number;
}

export interface TimelinePart {
  kind: "timeline";
  title: string;
  /** `start` and `end` in Unix seconds; without an end, a moment. */
  events: { label: string; group: string; start: number; end: number | null }[];
  table: TablePart;
}

export interface GraphPart {
  kind: "graph";
  title: string;
  nodes: { id: string; label: string; type: string }[];
  /** Numbers of nodes. */
  edges: { source: number; target: number; label: string }[];
  table: TablePart;
}
