import { useEffect, useRef, useState } from "preact/hooks";
import type { AttachedFile } from "../attach/model";
import { count, wordsOf } from "../shared/format";
import type { Rpc } from "../shared/rpc";
import { useDrop, useUploads } from "../shared/uploads";
import { Attachments, isUnderWay } from "./attachments";
import { Composer, type Status } from "./composer";
import { Header } from "./header";
import { Log } from "./log";
import type { ChatTraits, Question, Score, Turn } from "./model";
import { QuestionView } from "./question";
import type { Stream } from "./stream";
import { text } from "./strings";
import { TurnView } from "./turn";

/** What a chat asks of the kernel. Each rejects with one line that says what to do. */
export interface ChatCalls {
  send(prompt: string): Promise<unknown>;
  stop(): Promise<unknown>;
  retry(): Promise<unknown>;
  rate(turn: string, score: Score, comment: string): Promise<unknown>;
  decide(question: string, approve: boolean): Promise<unknown>;
  detach(file_idx: number, file: AttachedFile): Promise<unknown>;
  listSessions(): Promise<unknown>;
  switchTo(session_id: string): Promise<unknown>;
  newSession(): Promise<unknown>;
}

/** What was typed and not sent: it outlives a view that is drawn anew. */
export interface Draft {
  text: string;
}

export interface ChatProps extends ChatTraits {
  calls: ChatCalls;
  stream: Stream;
  kept: Draft;
  rpc: Pick<Rpc, "call">;
}

/** A conversation: its session, what was said, what waits for a yes or no, where one writes. */
export function Chat(props: ChatProps) {
  const { state, session_name, turns, earlier, approvals, calls, stream, kept } = props;
  const [draft, setDraft] = useState(kept.text);
  const [status, setStatus] = useState<Status>({ words: "" });
  const sending = useRef(false);
  const root = useRef<HTMLElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const last = turns.at(-1);
  kept.text = draft;
  const uploads = useUploads(props.rpc, props.session_id, props.max_bytes, ({ words }) =>
    setStatus({ words }),
  );
  const { over, handlers } = useDrop(uploads.add);

  useSpoken(props, setStatus);

  const fail = (words: string) => setStatus({ words, failed: true });

  /** Whether the kernel did it. */
  async function run(call: Promise<unknown>): Promise<boolean> {
    try {
      await call;
      return true;
    } catch (error) {
      fail(wordsOf(error));
      return false;
    }
  }

  async function ask(prompt?: string) {
    if (state !== "idle") return fail(text.busy);
    if (sending.current) return;
    sending.current = true;
    setStatus({ words: text.sending });
    const taken = await run(prompt === undefined ? calls.retry() : calls.send(prompt));
    sending.current = false;
    if (taken && prompt !== undefined) setDraft((now) => (now === prompt ? "" : now));
  }

  function send() {
    if (!draft.trim()) fail(text.empty);
    else if (uploads.uploads.some(isUnderWay)) fail(text.underWay);
    else ask(draft);
  }

  async function detach(index: number, file: AttachedFile) {
    if (await run(calls.detach(index, file))) setStatus({ words: text.detached(file.name) });
  }

  // A busy kernel may take a prompt after the call gave up: then it stands in the conversation, not in the field.
  useEffect(() => {
    if (status.failed && last?.status === "running" && last.prompt.trim() === draft.trim()) setDraft("");
  }, [last?.key]);

  async function rate(turn: Turn, score: Score, comment: string) {
    const sent = await run(calls.rate(turn.key, score, comment));
    if (sent) setStatus({ words: text.rated(turn.index) });
    return sent;
  }

  async function decide(question: Question, approve: boolean) {
    field.current?.focus(); // the buttons go away
    if (await run(calls.decide(question.id, approve)))
      setStatus({ words: approve ? text.approved : text.denied });
  }

  /** Whether the focus is here, and nobody is writing. */
  function takesFocus() {
    const focused = (root.current?.getRootNode() as Document | ShadowRoot | undefined)?.activeElement;
    if (!focused || !root.current?.contains(focused)) return false;
    return !(focused instanceof HTMLTextAreaElement || focused instanceof HTMLInputElement) || !focused.value;
  }

  function propose(example: string) {
    setDraft(example);
    field.current?.focus();
  }

  return (
    <section
      ref={root}
      class={`sg-widget sg-chat ${over ? "sg-over" : ""}`}
      aria-label={text.title(session_name)}
      data-lm-suppress-shortcuts="true"
      onKeyDown={(event) => event.stopPropagation()}
      {...handlers}
    >
      <Header
        {...props}
        listSessions={() => run(calls.listSessions())}
        switchTo={(id) => run(calls.switchTo(id))}
        newSession={() => run(calls.newSession())}
      />
      <Log
        news={`${turns.length} ${last?.status} ${stream.changes}`}
        asked={`${props.session_id} ${turns.findLast((turn) => turn.stoppable)?.key}`}
      >
        {earlier > 0 && <p class="sg-muted">{text.earlier(count(earlier, "turn"))}</p>}
        {turns.length === 0 && <Empty {...props} propose={propose} />}
        {turns.map((turn) => (
          <TurnView
            key={turn.key}
            turn={turn}
            outputs={turn.key === stream.turn ? stream.outputs : undefined}
            isLast={turn === last}
            busy={state !== "idle"}
            rate={rate}
            retry={() => ask()}
          />
        ))}
      </Log>
      {!stream.isSaved && <p class="sg-chat-unsaved sg-muted">{text.unsaved}</p>}
      {approvals.map((question) => (
        <QuestionView
          key={question.id}
          question={question}
          session={question.session === session_name ? undefined : question.session}
          takesFocus={takesFocus}
          leave={() => field.current?.focus()}
          decide={decide}
        />
      ))}
      <Composer
        draft={draft}
        running={state !== "idle"}
        stoppable={last?.stoppable ?? false}
        status={status}
        field={field}
        setDraft={setDraft}
        send={send}
        stop={() => (last?.stoppable ? run(calls.stop()) : fail(text.stopElsewhere))}
      >
        <Attachments files={props.files} uploads={uploads} over={over} detach={detach} />
      </Composer>
    </section>
  );
}

/** Says what waits for an answer and how the turn stands when that changes, for eyes and for screen readers. */
function useSpoken(props: ChatProps, setStatus: (status: Status) => void) {
  const { state, turns, approvals, session_id, session_name } = props;
  const last = turns.at(-1);
  const asked = approvals[0];
  const before = useRef({ turn: "", session: "", asked: "" });
  useEffect(() => {
    const { current } = before;
    const now = {
      turn: `${session_id} ${state} ${last?.status}`,
      session: session_id,
      asked: asked?.id ?? "",
    };
    before.current = now;
    const isAsked = asked && (state === "waiting for approval" || now.asked !== current.asked);
    if (isAsked)
      setStatus({ words: text.asking(asked.name, asked.session === session_name ? "" : asked.session) });
    else if (state === "running") setStatus({ words: text.answering });
    else if (now.session !== current.session) setStatus({ words: "" });
    else if (now.turn !== current.turn && last && last.status !== "running")
      setStatus({
        words: {
          error: text.failed,
          ok: text.complete,
          interrupted: last.index ? text.stopped : text.notSent,
        }[last.status],
        failed: last.status === "error",
      });
    else if (now.asked !== current.asked) setStatus({ words: "" });
  }, [session_id, state, last?.key, last?.status, asked?.id]);
}

interface EmptyProps extends Pick<ChatTraits, "destination" | "retained"> {
  propose(example: string): void;
}

/** Nothing was said yet: who answers, where it goes, what one might ask. */
function Empty({ destination, retained, propose }: EmptyProps) {
  return (
    <div class="sg-chat-empty">
      <h3>{text.emptyHead}</h3>
      <p>{text.emptyBody(destination, retained)}</p>
      <p class="sg-muted">{text.tryOne}</p>
      <ul>
        {text.examples.map((example) => (
          <li key={example}>
            <button type="button" class="sg-chat-example" onClick={() => propose(example)}>
              {example}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
