/** The traits of `SessionsWidget`, spelled as in Python; `tests/widgets/test_sessions.py` compares the two. */
export interface SessionsTraits {
  /** Newest first. */
  sessions: Listed[];
  /** Id of the selected session, or empty. The view sets it, and Python may. */
  selected: string;
  /** The model that is shown within this one: `IPY_MODEL_…`. */
  opened: string | null;
  opened_id: string;
  /** What became of the last reading of the list. */
  state: "idle" | "loading" | "failed";
  /** How many sessions there are, listed or not. */
  total: number;
  /** ISO 8601, UTC. */
  listed_at: string;
  /** Where these sessions are kept, in words. */
  destination: string;
}

/** One session. Texts are cleaned for display; times are ISO 8601, UTC, and empty where they are not known. */
export interface Listed {
  session_id: string;
  name: string;
  description: string;
  turns: number;
  messages: number;
  files: number;
  retained: boolean;
  current: boolean;
  created_at: string;
  updated_at: string;
  expires_at: string;
}

/** Calls to the kernel: method → what it takes, and what it gives: words that say what was done. */
export interface Calls {
  refresh: [Record<string, never>, null];
  resume: [{ session_id: string }, string];
  rename: [{ session_id: string; name: string }, string];
  extend: [{ session_id: string; ttl: number }, string];
  delete: [{ session_id: string }, string];
  open: [{ session_id: string }, { said: string; code: string }];
  close: [Record<string, never>, null];
}

/** Seconds that a session may be given from now. */
export const MIN_TTL = 300;
export const MAX_TTL = 31_622_400;

/** Characters of a new name. */
export const NAME_LIMIT = 200;
