import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { wordsOf } from "../shared/format";
import type { FeedbackTraits, Score, Sent } from "./model";
import { text } from "./strings";

export interface FeedbackProps
  extends Pick<FeedbackTraits, "session_name" | "label" | "sent" | "score" | "compact"> {
  sendFeedback(score: Score, comment: string): Promise<unknown>;
  sendBugReport(bug: string): Promise<unknown>;
}

export interface Status {
  state: "idle" | "sending" | "sent" | "failed";
  words: string;
}

/** What is typed, chosen and under way. A failed send keeps what was typed. */
export interface Draft {
  /** The score that was chosen last, sent or not. */
  score: Score | null;
  comment: string;
  setComment(comment: string): void;
  bug: string;
  setBug(bug: string): void;
  bugOpen: boolean;
  setBugOpen(open: boolean): void;
  /** Closing gives the focus back to it. */
  bugButton: RefObject<HTMLButtonElement>;
  closeBug(): void;
  status: Status;
  busy: boolean;
  rate(score: Score): void;
  sendComment(event: Event): void;
  report(event: Event): void;
}

export function useFeedback({ label, sent, score, sendFeedback, sendBugReport }: FeedbackProps): Draft {
  const [chosen, setChosen] = useState<Score>();
  const [comment, setComment] = useState("");
  const [bug, setBug] = useState("");
  const [bugOpen, setBugOpen] = useState(false);
  const [status, setStatus] = useState<Status>({ state: "idle", words: "" });
  const sending = useRef(false);
  const bugButton = useRef<HTMLButtonElement>(null);
  const now = chosen ?? score;
  // Another view, or Python, may have sent one. Before the next click: an effect after painting would undo that one.
  useLayoutEffect(() => setChosen(undefined), [score]);

  const fail = (words: string) => setStatus({ state: "failed", words });

  function closeBug() {
    setBugOpen(false);
    bugButton.current?.focus();
  }

  /** What was typed has arrived: forget it, unless it was edited since. */
  function confirm(kind: Sent["kind"], typed: string) {
    setStatus({ state: "sent", words: kind === "bug" ? text.reportSent : text.sent(label) });
    if (kind === "feedback") setComment((now) => (now.trim() === typed ? "" : now));
    else if (bug.trim() === typed) {
      setBug("");
      closeBug();
    }
  }

  async function submit(kind: Sent["kind"], typed: string, request: () => Promise<unknown>) {
    if (sending.current) return;
    sending.current = true;
    setStatus({ state: "sending", words: text.sending });
    try {
      await request();
      confirm(kind, typed);
    } catch (error) {
      fail(wordsOf(error));
    } finally {
      sending.current = false;
    }
  }

  function rate(next: Score) {
    if (sending.current) return;
    setChosen(next);
    const typed = comment.trim();
    if (next === score && !typed) setStatus({ state: "sent", words: text.already(label) });
    else submit("feedback", typed, () => sendFeedback(next, typed));
  }

  function sendComment(event: Event) {
    event.preventDefault();
    if (now === null) fail(text.chooseFirst);
    else rate(now);
  }

  function report(event: Event) {
    event.preventDefault();
    const typed = bug.trim();
    if (!typed) fail(text.emptyReport);
    else submit("bug", typed, () => sendBugReport(typed));
  }

  // A busy kernel may take our message after the call gave up: its trait then says that it was sent after all.
  const newest = sent.at(-1);
  useEffect(() => {
    if (newest && status.state === "failed" && newest.text === (newest.kind === "bug" ? bug : comment).trim())
      confirm(newest.kind, newest.text);
  }, [newest?.sent_at, sent.length]);

  const busy = status.state === "sending";
  return {
    ...{ score: now, comment, setComment, bug, setBug, bugOpen, setBugOpen, bugButton, closeBug },
    ...{ status, busy, rate, sendComment, report },
  };
}
