import { useState } from "preact/hooks";
import { ThumbIcon } from "../shared/icons";
import { SafeHtml } from "../shared/safe-html";
import { COMMENT_LIMIT, type Score, type Turn } from "./model";
import { text } from "./strings";

export interface TurnProps {
  turn: Turn;
  /** The running turn's outputs. */
  outputs: ReadonlyMap<number, string> | undefined;
  isLast: boolean;
  busy: boolean;
  rate(turn: Turn, score: Score, comment: string): Promise<boolean>;
  retry(): void;
}

/** Whether a text may be more than its place shows, so that it scrolls: then the keyboard must get there. */
export function isLong(text: string): boolean {
  return text.length > 200 || text.split("\n").length > 8;
}

/** A prompt, what came of it, and what one may do about it. */
export function TurnView({ turn, outputs, isLast, busy, rate, retry }: TurnProps) {
  const running = turn.status === "running";
  return (
    <article class={`sg-turn sg-turn-${turn.status}`} aria-label={text.turn(turn.index)}>
      <div class="sg-turn-prompt">
        <span class="sg-turn-you">{text.you}</span>
        <div class="sg-turn-words" tabIndex={isLong(turn.prompt) ? 0 : undefined}>
          {turn.prompt}
        </div>
      </div>
      <div class="sg-turn-answer">
        {running ? <Outputs outputs={outputs} /> : <SafeHtml html={turn.html} />}
      </div>
      {!running && (
        <div class="sg-turn-actions">
          {turn.index > 0 && <Rating turn={turn} rate={rate} />}
          {isLast && (
            <button
              type="button"
              class="sg-button"
              title={text.retryTitle}
              aria-disabled={busy}
              onClick={() => !busy && retry()}
            >
              {text.retry}
            </button>
          )}
        </div>
      )}
    </article>
  );
}

function Outputs({ outputs }: Pick<TurnProps, "outputs">) {
  if (!outputs?.size) return <p class="sg-turn-waiting sg-muted">{text.waiting}</p>;
  return (
    <>
      {[...outputs].map(([index, html]) => (
        <SafeHtml key={index} html={html} />
      ))}
    </>
  );
}

/** Thumbs; a comment can be added to the rating that was given. */
function Rating({ turn, rate }: Pick<TurnProps, "turn" | "rate">) {
  const [comment, setComment] = useState("");
  const [asks, setAsks] = useState(false);
  const [sending, setSending] = useState(false);

  async function send(score: Score, words: string) {
    if (sending) return;
    setSending(true);
    const sent = await rate(turn, score, words);
    setSending(false);
    if (!sent) return;
    setAsks(!words);
    if (words) setComment("");
  }

  function sendComment(event: Event) {
    event.preventDefault();
    const words = comment.trim();
    if (words && turn.rating !== null) send(turn.rating, words);
  }

  const thumb = (score: Score, words: string) => (
    <button
      type="button"
      class="sg-button sg-turn-thumb"
      title={words}
      aria-label={words}
      aria-pressed={turn.rating === score}
      aria-disabled={sending}
      onClick={() => send(score, "")}
    >
      <ThumbIcon down={score === 0} />
    </button>
  );

  return (
    <fieldset class="sg-turn-rating">
      <legend class="sg-hidden">{text.rate(turn.index)}</legend>
      {thumb(1, text.helpful)}
      {thumb(0, text.notHelpful)}
      {asks && (
        <form class="sg-turn-comment" onSubmit={sendComment}>
          <input
            class="sg-field"
            aria-label={text.comment}
            placeholder={text.commentHint}
            maxLength={COMMENT_LIMIT}
            value={comment}
            onInput={(event) => setComment(event.currentTarget.value)}
          />
          <button type="submit" class="sg-button" aria-disabled={sending || !comment.trim()}>
            {text.sendComment}
          </button>
        </form>
      )}
    </fieldset>
  );
}
