import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { copyText } from "../shared/clipboard";
import { middle, utc } from "../shared/format";
import { useUid } from "../shared/use-uid";
import { expiry, fullTime, secondsUntil, shortTime } from "./list";
import { type Listed, MAX_TTL, MIN_TTL } from "./model";
import { text } from "./strings";
import type { Acting } from "./use-sessions";

interface ActionsProps {
  session: Listed | undefined;
  now: number;
  acting: Acting;
}

/** The selected session, and what can be done to it. As high when nothing is selected, so that nothing jumps. */
export function Actions({ session, now, acting }: ActionsProps) {
  if (!session) return <div class="sg-sessions-actions sg-muted">{text.nothingSelected}</div>;
  return (
    <section class="sg-sessions-actions" aria-label={text.actions(session.name)}>
      <Facts session={session} now={now} acting={acting} />
      {acting.form === "extend" ? (
        <ExtendForm session={session} now={now} acting={acting} />
      ) : acting.form === "delete" ? (
        <DeleteForm session={session} acting={acting} />
      ) : (
        <Buttons session={session} acting={acting} />
      )}
    </section>
  );
}

function Facts({ session, now, acting }: { session: Listed; now: number; acting: Acting }) {
  const { name, session_id, description } = session;
  const expires = fullTime(session.expires_at);
  const asking = acting.form === "extend" || acting.form === "delete"; // the question stands in the line's place
  const copy = async () => {
    const copied = await copyText(session_id);
    acting.say(copied ? "done" : "failed", copied ? text.copied : text.notCopied);
  };
  return (
    <div class="sg-sessions-facts">
      <div class="sg-sessions-line">
        <b title={name}>{name}</b>
        <code title={session_id}>{middle(session_id, 13)}</code>
        <button type="button" class="sg-sessions-copy" onClick={copy}>
          {text.copyId}
        </button>
        {description && (
          <span class="sg-muted" title={description}>
            {description}
          </span>
        )}
      </div>
      {!asking && (
        <div class="sg-sessions-line sg-muted">
          <span>{text.facts(session.turns, session.messages, session.files, session.retained)}</span>
          <span title={fullTime(session.created_at)}>{text.created(shortTime(session.created_at, now))}</span>
          <span title={expires ? text.expiryWhy(expires) : text.unknownExpiryWhy}>
            {text.expires(expiry(session.expires_at, now).words)}
          </span>
        </div>
      )}
    </div>
  );
}

// `aria-disabled` and not `disabled`: a button that is disabled while it has the focus takes the keyboard away.
function Buttons({ session, acting }: { session: Listed; acting: Acting }) {
  const { busy } = acting;
  const resume = () => (session.current ? acting.say("done", text.isCurrent) : acting.resume());
  return (
    <div class="sg-sessions-buttons">
      <button type="button" class="sg-button" aria-disabled={busy || session.current} onClick={resume}>
        {text.resume}
      </button>
      <button
        type="button"
        class="sg-button"
        aria-disabled={busy}
        aria-keyshortcuts="Enter"
        title="Enter"
        onClick={acting.open}
      >
        {text.open}
      </button>
      <button
        type="button"
        class="sg-button"
        aria-disabled={busy}
        aria-keyshortcuts="F2"
        title="F2"
        data-form="rename"
        onClick={() => acting.ask("rename", "button")}
      >
        {text.rename}
      </button>
      <button
        type="button"
        class="sg-button"
        aria-disabled={busy}
        data-form="extend"
        onClick={() => acting.ask("extend", "button")}
      >
        {text.extend}
      </button>
      <button
        type="button"
        class="sg-button"
        aria-disabled={busy}
        aria-keyshortcuts="Delete"
        title="Del"
        data-form="delete"
        onClick={() => acting.ask("delete", "button")}
      >
        {text.delete}
      </button>
    </div>
  );
}

const closeOnEscape = (acting: Acting) => (event: KeyboardEvent) => {
  if (event.key === "Escape") acting.leave();
};

function DeleteForm({ session, acting }: { session: Listed; acting: Acting }) {
  const keep = useRef<HTMLButtonElement>(null);
  const wordsId = useUid();
  useLayoutEffect(() => keep.current?.focus(), []);
  return (
    <div
      class="sg-sessions-form"
      role="alertdialog"
      aria-labelledby={wordsId}
      onKeyDown={closeOnEscape(acting)}
    >
      <p id={wordsId}>{text.confirmDelete(session.name, session.turns, session.files)}</p>
      <div class="sg-sessions-buttons">
        <button type="button" class="sg-button" ref={keep} onClick={acting.leave}>
          {text.keep}
        </button>
        <button type="button" class="sg-button sg-danger" aria-disabled={acting.busy} onClick={acting.remove}>
          {text.reallyDelete}
        </button>
      </div>
    </div>
  );
}

type Unit = keyof typeof text.units;

function ExtendForm({ session, now, acting }: { session: Listed; now: number; acting: Acting }) {
  const [amount, setAmount] = useState("");
  const [unit, setUnit] = useState<Unit>(3600);
  const first = useRef<HTMLButtonElement>(null);
  const wordsId = useUid();
  useLayoutEffect(() => first.current?.focus(), []);

  const ttl = Math.round(Number(amount.trim().replace(",", ".")) * unit);
  const valid = amount.trim() !== "" && ttl >= MIN_TTL && ttl <= MAX_TTL;
  const left = secondsUntil(session.expires_at, now);
  const resulting = (seconds: number) => {
    const until = text.until(utc(now / 1000 + seconds));
    return seconds < left ? `${until}, ${text.sooner}` : until;
  };

  function submit(event: Event) {
    event.preventDefault();
    if (valid) acting.extend(ttl);
    else acting.say("failed", text.noTime);
  }

  return (
    <form
      class="sg-sessions-form"
      aria-labelledby={wordsId}
      onSubmit={submit}
      onKeyDown={closeOnEscape(acting)}
    >
      <p id={wordsId}>{text.extendTitle(session.name)}</p>
      <div class="sg-sessions-buttons">
        {([86_400, 604_800] as const).map((seconds, index) => (
          <button
            key={seconds}
            type="button"
            class="sg-button"
            ref={index === 0 ? first : null}
            aria-disabled={acting.busy}
            title={resulting(seconds)}
            onClick={() => acting.extend(seconds)}
          >
            {index === 0 ? text.day : text.week}
          </button>
        ))}
        <input
          class="sg-field sg-sessions-amount"
          inputMode="decimal"
          maxLength={10}
          aria-label={text.amount}
          value={amount}
          onInput={(event) => setAmount(event.currentTarget.value)}
        />
        <select
          class="sg-field sg-sessions-unit"
          aria-label={text.unit}
          value={unit}
          onChange={(event) => setUnit(Number(event.currentTarget.value) as Unit)}
        >
          {Object.entries(text.units).map(([seconds, words]) => (
            <option key={seconds} value={seconds}>
              {words}
            </option>
          ))}
        </select>
        <button type="submit" class="sg-button" aria-disabled={acting.busy || !valid}>
          {text.set}
        </button>
        <button type="button" class="sg-button" onClick={acting.leave}>
          {text.cancel}
        </button>
        {valid && <span class="sg-muted">{resulting(ttl)}</span>}
      </div>
    </form>
  );
}
