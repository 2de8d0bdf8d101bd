import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { feedbackText as text, utcTime } from "../shared/strings";
import { type FeedbackTraits, type Score, type Sent, TEXT_LIMIT } from "./model";

export interface FeedbackProps extends Pick<FeedbackTraits, "session_name" | "label" | "sent"> {
  sendFeedback(score: Score, comment: string): Promise<unknown>;
  sendBugReport(bug: string): Promise<unknown>;
}

/** How many of the pieces sent are listed: the newest. */
const SHOWN = 5;

interface Status {
  state: "idle" | "sending" | "sent" | "failed";
  words: string;
}

/** Rating, comment and bug report for one session or turn. A failed send keeps what was typed. */
export function Feedback({ session_name, label, sent, sendFeedback, sendBugReport }: FeedbackProps) {
  const lastScore = sent.findLast((item) => item.kind === "feedback")?.score;
  const [chosen, setChosen] = useState<Score>();
  const [comment, setComment] = useState("");
  const [bug, setBug] = useState("");
  const [bugOpen, setBugOpen] = useState(false);
  const [status, setStatus] = useState<Status>({ state: "idle", words: "" });
  const sending = useRef(false);
  const bugButton = useRef<HTMLButtonElement>(null);
  const bugId = useId();
  const score = chosen ?? lastScore;

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
      fail(error instanceof Error ? error.message : String(error));
    } finally {
      sending.current = false;
    }
  }

  function rate(next: Score) {
    if (sending.current) return;
    setChosen(next);
    const typed = comment.trim();
    if (next === lastScore && !typed) setStatus({ state: "sent", words: text.already(label) });
    else submit("feedback", typed, () => sendFeedback(next, typed));
  }

  function sendComment(event: Event) {
    event.preventDefault();
    if (score === undefined) fail(text.chooseFirst);
    else rate(score);
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
  return (
    <section
      class="sg-widget sg-feedback"
      aria-label={text.title(label, session_name)}
      data-lm-suppress-shortcuts="true"
      onKeyDown={(event) => event.stopPropagation()}
    >
      <form class="sg-feedback-row" onSubmit={sendComment}>
        <ScoreButton words={text.helpful} pressed={score === 1} busy={busy} onPress={() => rate(1)} />
        <ScoreButton words={text.notHelpful} pressed={score === 0} busy={busy} onPress={() => rate(0)} down />
        <input
          class="sg-field sg-feedback-comment"
          aria-label={text.commentLabel}
          placeholder={text.commentHint}
          maxLength={TEXT_LIMIT}
          value={comment}
          onInput={(event) => setComment(event.currentTarget.value)}
        />
        <button type="submit" class="sg-button" aria-disabled={busy || !comment.trim()}>
          {text.send}
        </button>
        <button
          type="button"
          class="sg-button"
          ref={bugButton}
          aria-expanded={bugOpen}
          aria-controls={bugId}
          onClick={() => setBugOpen(!bugOpen)}
        >
          {text.reportBug}
        </button>
      </form>
      <div id={bugId} hidden={!bugOpen}>
        {bugOpen && <BugForm bug={bug} busy={busy} setBug={setBug} onSubmit={report} onCancel={closeBug} />}
      </div>
      <div class="sg-feedback-foot">
        <span class="sg-muted" title={text.title(label, session_name)}>
          session <b>{session_name}</b> · {label}
        </span>
        <p role="status" class={`sg-feedback-status sg-${status.state}`}>
          {status.state === "sent" && <CheckIcon />}
          {status.words}
        </p>
      </div>
      {sent.length > 0 && (
        <ul class="sg-feedback-sent sg-muted" aria-label={text.sentList}>
          {sent.slice(-SHOWN).map((item, index) => (
            <SentItem key={`${index} ${item.sent_at}`} item={item} />
          ))}
          {sent.length > SHOWN && <li>{text.earlier(sent.length - SHOWN)}</li>}
        </ul>
      )}
    </section>
  );
}

interface ScoreButtonProps {
  words: string;
  pressed: boolean;
  busy: boolean;
  down?: boolean;
  onPress(): void;
}

// `aria-disabled` and not `disabled`: a button that is disabled while it has the focus takes the keyboard away.
function ScoreButton({ words, pressed, busy, down = false, onPress }: ScoreButtonProps) {
  return (
    <button type="button" class="sg-button" aria-pressed={pressed} aria-disabled={busy} onClick={onPress}>
      <ThumbIcon down={down} />
      {words}
    </button>
  );
}

interface BugFormProps {
  bug: string;
  busy: boolean;
  setBug(bug: string): void;
  onSubmit(event: Event): void;
  onCancel(): void;
}

function BugForm({ bug, busy, setBug, onSubmit, onCancel }: BugFormProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const fieldId = useId();
  // Before the next key arrives: an effect after painting would lose the first letters.
  useLayoutEffect(() => field.current?.focus(), []);
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") onCancel();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) onSubmit(event);
  };
  return (
    <form class="sg-feedback-bug" onSubmit={onSubmit} onKeyDown={onKey}>
      <label for={fieldId}>{text.bugLabel}</label>
      <textarea
        id={fieldId}
        ref={field}
        class="sg-field"
        rows={3}
        maxLength={TEXT_LIMIT}
        value={bug}
        onInput={(event) => setBug(event.currentTarget.value)}
      />
      <div class="sg-feedback-row">
        <button type="submit" class="sg-button" aria-disabled={busy || !bug.trim()}>
          {text.sendReport}
        </button>
        <button type="button" class="sg-button" onClick={onCancel}>
          {text.cancel}
        </button>
      </div>
    </form>
  );
}

function SentItem({ item }: { item: Sent }) {
  const kind = item.kind === "bug" ? text.bug : item.score ? text.helpful : text.notHelpful;
  return (
    <li>
      <span class="sg-feedback-kind">{kind}</span>
      <span class="sg-feedback-text" title={item.text}>
        {item.text}
      </span>
      <time dateTime={item.sent_at} title={item.sent_at}>
        {utcTime(item.sent_at)}
      </time>
    </li>
  );
}

function ThumbIcon({ down }: { down: boolean }) {
  return (
    <svg class="sg-icon" viewBox="0 0 16 16" aria-hidden="true">
      <path
        transform={down ? "rotate(180 8 8)" : undefined}
        d="M2 7.5h2.5V14H2zM4.5 7.5 7.6 1.8c1.3.1 2 1 1.8 2.3L8.9 6.5H13a1.3 1.3 0 0 1 1.3 1.6l-1.1 4.8A1.4 1.4 0 0 1 11.8 14H4.5"
      />
    </svg>
  );
}

function CheckIcon() {
  return (
    <svg class="sg-icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d="m3 8.5 3.2 3.2L13 4.8" />
    </svg>
  );
}
