import type { ComponentChildren, RefObject } from "preact";
import { useRef } from "preact/hooks";
import { useUid } from "../shared/use-uid";
import { PROMPT_LIMIT } from "./model";
import { text } from "./strings";

export interface Status {
  words: string;
  failed?: boolean;
}

export interface ComposerProps {
  draft: string;
  /** Whether a turn runs; `stoppable` if it can be stopped here. */
  running: boolean;
  stoppable: boolean;
  status: Status;
  field: RefObject<HTMLTextAreaElement>;
  children?: ComponentChildren;
  setDraft(draft: string): void;
  send(): void;
  stop(): void;
}

/** Where one writes. While a turn runs one may write on, and stop it; the text stays until it was taken. */
export function Composer({ draft, running, stoppable, status, field, children, ...calls }: ComposerProps) {
  const hintId = useUid();
  const stopButton = useRef<HTMLButtonElement>(null);

  // Enter that ends the composition of a character is no Enter of ours; 229 is what some browsers say instead.
  function onKey(event: KeyboardEvent) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    calls.send();
  }

  function submit(event: Event) {
    event.preventDefault();
    calls.send();
  }

  return (
    <form class="sg-composer" onSubmit={submit}>
      <div class="sg-composer-row">
        <textarea
          ref={field}
          class="sg-field"
          rows={2}
          aria-label={text.prompt}
          aria-describedby={hintId}
          placeholder={text.promptHint}
          maxLength={PROMPT_LIMIT}
          value={draft}
          onInput={(event) => calls.setDraft(event.currentTarget.value)}
          onKeyDown={onKey}
        />
        <div class="sg-composer-buttons">
          <button type="submit" class="sg-button sg-send" aria-disabled={running || !draft.trim()}>
            {text.send}
          </button>
          {running && (
            <button
              type="button"
              ref={stopButton}
              class="sg-button sg-stop"
              aria-disabled={!stoppable}
              onClick={() => {
                field.current?.focus(); // the button goes away
                calls.stop();
              }}
            >
              {text.stop}
            </button>
          )}
        </div>
      </div>
      {children}
      <div class="sg-composer-foot">
        <span id={hintId} class="sg-muted">
          {text.keys}
        </span>
        <p role="status" class={`sg-composer-status${status.failed ? " sg-failed" : ""}`}>
          {status.words}
        </p>
      </div>
    </form>
  );
}
