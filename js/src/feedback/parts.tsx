import { useLayoutEffect, useRef } from "preact/hooks";
import { utcTime } from "../shared/format";
import { CheckIcon, ThumbIcon } from "../shared/icons";
import { useUid } from "../shared/use-uid";
import { type Score, type Sent, TEXT_LIMIT } from "./model";
import { text } from "./strings";
import type { Draft, Status } from "./use-feedback";

/** How many of the pieces sent are listed: the newest. */
const SHOWN = 5;

interface ThumbProps {
  draft: Draft;
  score: Score;
  /** Without the words beside it; they are its name and its tooltip. */
  bare?: boolean;
}

// `aria-disabled` and not `disabled`: a button that is disabled while it has the focus takes the keyboard away.
export function Thumb({ draft, score, bare = false }: ThumbProps) {
  const words = score === 1 ? text.helpful : text.notHelpful;
  return (
    <button
      type="button"
      class="sg-button"
      aria-pressed={draft.score === score}
      aria-disabled={draft.busy}
      onClick={() => draft.rate(score)}
      {...(bare ? { "aria-label": words, title: words } : {})}
    >
      <ThumbIcon down={score === 0} />
      {!bare && words}
    </button>
  );
}

/** The comment's field with its button, and the way to the bug report. */
export function Comment({ draft, bugId }: { draft: Draft; bugId: string }) {
  return (
    <>
      <input
        class="sg-field sg-feedback-comment"
        aria-label={text.commentLabel}
        placeholder={text.commentHint}
        maxLength={TEXT_LIMIT}
        value={draft.comment}
        onInput={(event) => draft.setComment(event.currentTarget.value)}
      />
      <button type="submit" class="sg-button" aria-disabled={draft.busy || !draft.comment.trim()}>
        {text.send}
      </button>
      <button
        type="button"
        class="sg-button"
        ref={draft.bugButton}
        aria-expanded={draft.bugOpen}
        aria-controls={bugId}
        onClick={() => draft.setBugOpen(!draft.bugOpen)}
      >
        {text.reportBug}
      </button>
    </>
  );
}

/** The bug report, while it is open. */
export function Bug({ draft, id }: { draft: Draft; id: string }) {
  return (
    <div id={id} hidden={!draft.bugOpen}>
      {draft.bugOpen && <BugForm {...draft} />}
    </div>
  );
}

function BugForm({ bug, busy, setBug, report, closeBug }: Draft) {
  const field = useRef<HTMLTextAreaElement>(null);
  const fieldId = useUid();
  // Before the next key arrives: an effect after painting would lose the first letters.
  useLayoutEffect(() => field.current?.focus(), []);
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") closeBug();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) report(event);
  };
  return (
    <form class="sg-feedback-bug" onSubmit={report} onKeyDown={onKey}>
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
        <button type="button" class="sg-button" onClick={closeBug}>
          {text.cancel}
        </button>
      </div>
    </form>
  );
}

export function StatusLine({ status }: { status: Status }) {
  return (
    <p role="status" class={`sg-feedback-status sg-${status.state}`}>
      {status.state === "sent" && <CheckIcon />}
      {status.words}
    </p>
  );
}

/** What was sent: the newest pieces, and how many more. */
export function SentList({ sent }: { sent: Sent[] }) {
  if (sent.length === 0) return null;
  return (
    <ul class="sg-feedback-sent sg-muted" aria-label={text.sentList}>
      {sent.slice(-SHOWN).map((item, index) => (
        <SentItem key={`${index} ${item.sent_at}`} item={item} />
      ))}
      {sent.length > SHOWN && <li>{text.earlier(sent.length - SHOWN)}</li>}
    </ul>
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
