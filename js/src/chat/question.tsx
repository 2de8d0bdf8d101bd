import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { utc } from "../shared/format";
import { useUid } from "../shared/use-uid";
import type { Question } from "./model";
import { text } from "./strings";
import { isLong } from "./turn";

export interface QuestionProps {
  question: Question;
  /** The name of another session, if it is one of another session. */
  session: string | undefined;
  /** Whether the focus may be moved here: nobody is writing. */
  takesFocus(): boolean;
  /** The focus was here, and the question goes away: somebody answered it elsewhere, or nobody did. */
  leave(): void;
  decide(question: Question, approve: boolean): void;
}

/** May this tool run with these arguments? All of them are shown, exactly. */
export function QuestionView({ question, session, takesFocus, leave, decide }: QuestionProps) {
  const place = useRef<HTMLElement>(null);
  const titleId = useUid();
  // On the whole and not on a button: a key that was meant for something else must approve nothing.
  useEffect(() => {
    if (takesFocus()) place.current?.focus();
  }, [question.id]);
  useLayoutEffect(() => {
    const section = place.current;
    return () => {
      const root = section?.getRootNode() as Document | ShadowRoot | undefined;
      if (root?.activeElement && section?.contains(root.activeElement)) leave();
    };
  }, []);
  return (
    <section class="sg-question" ref={place} tabIndex={-1} aria-labelledby={titleId}>
      <h3 id={titleId} class="sg-question-title">
        <span class="sg-question-kind">{question.kind === "tool" ? text.mayRun : text.mayConfirm}</span>
        {question.kind === "tool" ? <code>{question.name}</code> : <span>{question.name}</span>}
        {session && <span class="sg-muted">{text.inSession(session)}</span>}
      </h3>
      {question.arguments.length > 0 ? (
        <dl class="sg-question-arguments">
          {question.arguments.map(([name, value], index) => (
            <div key={`${index} ${name}`}>
              <dt>{name}</dt>
              <dd>
                <pre tabIndex={isLong(value) ? 0 : undefined}>{value}</pre>
              </dd>
            </div>
          ))}
        </dl>
      ) : (
        question.kind === "tool" && <p class="sg-muted">{text.noArguments}</p>
      )}
      <div class="sg-question-foot">
        <button type="button" class="sg-button sg-approve" onClick={() => decide(question, true)}>
          {text.approve}
        </button>
        <button type="button" class="sg-button" onClick={() => decide(question, false)}>
          {text.deny}
        </button>
        <span class="sg-muted">{text.expires(utc(question.expires_at).slice(11))}</span>
      </div>
    </section>
  );
}
