import { useRef, useState } from "preact/hooks";
import { useUid } from "../shared/use-uid";
import type { ChatTraits } from "./model";
import { text } from "./strings";

export interface HeaderProps
  extends Pick<ChatTraits, "session_id" | "session_name" | "sessions" | "destination" | "retained"> {
  listSessions(): Promise<boolean>;
  switchTo(session_id: string): Promise<boolean>;
  newSession(): Promise<boolean>;
}

/** Which session, who answers, whether it is retained; the session's button opens the list of the others. */
export function Header(props: HeaderProps) {
  const { session_id, session_name, sessions, destination, retained } = props;
  const [open, setOpen] = useState(false);
  const [loading, setLoading] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const listId = useUid();

  async function toggle() {
    setOpen(!open);
    if (open) return;
    setLoading(true);
    await props.listSessions();
    setLoading(false);
  }

  async function choose(change: () => Promise<boolean>) {
    if (!(await change())) return;
    setOpen(false);
    button.current?.focus();
  }

  function onKey(event: KeyboardEvent) {
    if (event.key !== "Escape" || !open) return;
    setOpen(false);
    button.current?.focus();
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape closes the list from wherever the focus is in it
    <div class="sg-chat-head" onKeyDown={onKey}>
      <button
        type="button"
        ref={button}
        class="sg-button sg-chat-session"
        title={session_name}
        aria-label={text.session(session_name)}
        aria-expanded={open}
        aria-controls={listId}
        onClick={toggle}
      >
        <span class="sg-muted">session</span> <b>{session_name}</b>
        <svg class="sg-icon" viewBox="0 0 16 16" aria-hidden="true">
          <path d={open ? "m4 10 4-4 4 4" : "m4 6 4 4 4-4"} />
        </svg>
      </button>
      <span class="sg-chat-where sg-muted" title={destination}>
        {destination} · {retained ? text.retained : text.notRetained}
      </span>
      <div id={listId} class="sg-chat-sessions" hidden={!open}>
        {open && (
          <>
            <button type="button" class="sg-button" onClick={() => choose(props.newSession)}>
              {text.newSession}
            </button>
            {loading && <p class="sg-muted">{text.loading}</p>}
            <ul aria-label={text.sessionsList}>
              {[...sessions].reverse().map(({ id, name }) => (
                <li key={id}>
                  <button
                    type="button"
                    title={id}
                    aria-current={id === session_id ? "true" : undefined}
                    onClick={() => choose(() => props.switchTo(id))}
                  >
                    <span>{name}</span>
                    <span class="sg-muted">{id === session_id ? text.here : id.slice(0, 8)}</span>
                  </button>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </div>
  );
}
