/** The traits of `FeedbackWidget`, spelled as in Python; `tests/widgets/test_feedback.py` compares the two. */
export interface FeedbackTraits {
  session_id: string;
  session_name: string;
  /** What is rated, in words: "this session", "turn 3". */
  label: string;
  sent: Sent[];
  /** The score that was sent last; null before there is one. */
  score: Score | null;
  /** What became of the last send, of any view. */
  state: "idle" | "sending" | "sent" | "failed";
  /** Whether it is a strip of one row that opens. */
  compact: boolean;
}

export type Score = 0 | 1;

/** One piece of feedback that the service took, oldest first in the list. */
export interface Sent {
  kind: "feedback" | "bug";
  score: Score;
  text: string;
  /** ISO 8601, UTC. */
  sent_at: string;
}

/** Characters of a comment or report; the kernel refuses more. */
export const TEXT_LIMIT = 10_000;
