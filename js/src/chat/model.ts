import type { AttachedFile } from "../attach/model";

/** The traits of `ChatWidget`, spelled as in Python; `tests/widgets/test_chat.py` compares the two. */
export interface ChatTraits {
  state: "idle" | "running" | "waiting for approval";
  session_id: string;
  session_name: string;
  sessions: Session[];
  /** Oldest first. A running one has no `html`: its outputs come as events. */
  turns: Turn[];
  /** Older turns that are not among `turns`. */
  earlier: number;
  /** Who answers, and where prompts go. */
  destination: string;
  retained: boolean;
  approvals: Question[];
  /** What the session has, oldest first. */
  files: AttachedFile[];
  /** What one file may have. */
  max_bytes: number;
}

export interface Session {
  id: string;
  name: string;
}

export interface Turn {
  key: string;
  /** Counted from 1; 0 for a prompt that was stopped before it was sent. */
  index: number;
  prompt: string;
  /** Made by the kernel's `render/`. */
  html: string;
  status: "running" | "ok" | "error" | "interrupted";
  group: string;
  rating: Score | null;
  /** Whether a chat asked it; one that a cell asked is stopped there. */
  stoppable: boolean;
}

export type Score = 0 | 1;

/** What waits for a yes or no. */
export interface Question {
  id: string;
  kind: "tool" | "confirmation";
  name: string;
  arguments: [name: string, value: string][];
  session: string;
  /** Unix seconds; unanswered, it is denied then. */
  expires_at: number;
}

/** Characters; the kernel refuses more. */
export const PROMPT_LIMIT = 200_000;
export const COMMENT_LIMIT = 10_000;
