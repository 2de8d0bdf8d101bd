import { useState } from "preact/hooks";
import { useUid } from "../shared/use-uid";
import { Bug, Comment, SentList, StatusLine, Thumb } from "./parts";
import { text } from "./strings";
import { type Draft, type FeedbackProps, useFeedback } from "./use-feedback";

/** Rating, comment and bug report for one session or turn; `compact` is a strip that opens. */
export function Feedback(props: FeedbackProps) {
  const draft = useFeedback(props);
  const { session_name, label, compact } = props;
  return (
    <section
      class={`sg-widget sg-feedback ${compact ? "sg-feedback-strip" : ""}`}
      aria-label={text.title(label, session_name)}
      data-lm-suppress-shortcuts="true"
      onKeyDown={(event) => event.stopPropagation()}
    >
      {compact ? <Strip {...props} draft={draft} /> : <Whole {...props} draft={draft} />}
    </section>
  );
}

type PartProps = FeedbackProps & { draft: Draft };

function Whole({ session_name, label, sent, draft }: PartProps) {
  const bugId = useUid();
  return (
    <>
      <form class="sg-feedback-row" onSubmit={draft.sendComment}>
        <Thumb draft={draft} score={1} />
        <Thumb draft={draft} score={0} />
        <Comment draft={draft} bugId={bugId} />
      </form>
      <Bug draft={draft} id={bugId} />
      <div class="sg-feedback-foot">
        <span class="sg-muted" title={text.title(label, session_name)}>
          session <b>{session_name}</b> · {label}
        </span>
        <StatusLine status={draft.status} />
      </div>
      <SentList sent={sent} />
    </>
  );
}

function Strip({ session_name, label, sent, draft }: PartProps) {
  const [open, setOpen] = useState(false);
  const restId = useUid();
  const bugId = useUid();
  return (
    <>
      <div class="sg-feedback-row">
        <span class="sg-muted" title={text.title(label, session_name)}>
          {label}
        </span>
        <Thumb draft={draft} score={1} bare />
        <Thumb draft={draft} score={0} bare />
        <button
          type="button"
          class="sg-button"
          aria-expanded={open}
          aria-controls={restId}
          onClick={() => setOpen(!open)}
        >
          {text.more}
        </button>
        <StatusLine status={draft.status} />
      </div>
      <div id={restId} class="sg-feedback-rest" hidden={!open}>
        {open && (
          <>
            <form class="sg-feedback-row" onSubmit={draft.sendComment}>
              <Comment draft={draft} bugId={bugId} />
            </form>
            <Bug draft={draft} id={bugId} />
            <SentList sent={sent} />
          </>
        )}
      </div>
    </>
  );
}
