import type { RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { wordsOf } from "../shared/format";
import type { Calls, Listed } from "./model";
import { text } from "./strings";

export type Call = <M extends keyof Calls>(method: M, params: Calls[M][0]) => Promise<Calls[M][1]>;

/** What is being done to the selected session, if that takes more than a click. */
export type Form = "rename" | "extend" | "delete";

export interface Status {
  state: "idle" | "working" | "done" | "failed";
  words: string;
}

export interface Acting {
  form: Form | null;
  /** Opens a form for the selected session: from its row, or from a button that has it as its `data-form`. */
  ask(form: Form, from: "row" | "button"): void;
  /** Closes the form, and gives the focus back to where it came from. */
  leave(): void;
  status: Status;
  say(state: Status["state"], words: string): void;
  busy: boolean;
  refresh(): void;
  resume(): void;
  rename(name: string): void;
  extend(ttl: number): void;
  remove(): void;
  open(): void;
  closeOpened(): void;
  /** The line of code that shows what was opened last, for a front end that cannot. */
  code: string;
}

/**
 * Actions on the selected session. `root` holds the view, where the focus is given back; `neighbour` is the session that
 * is selected when this one is deleted.
 */
export function useActing(
  call: Call,
  selected: Listed | undefined,
  root: RefObject<HTMLElement>,
  neighbour: () => string,
  select: (id: string) => void,
): Acting {
  const [form, setForm] = useState<{ kind: Form; id: string } | null>(null);
  const [status, setStatus] = useState<Status>({ state: "idle", words: "" });
  const [code, setCode] = useState("");
  const acting = useRef(false);
  const opener = useRef("");
  const wanted = useRef<string | null>(null);

  const say = (state: Status["state"], words: string) => setStatus({ state, words });

  // After drawing: what had the focus may be gone by then.
  useLayoutEffect(() => {
    const where = wanted.current;
    wanted.current = null;
    const button = where && root.current?.querySelector<HTMLElement>(`[data-form="${where}"]`);
    if (button) button.focus();
    else if (where !== null) focusRow(root.current);
  });

  // A form is about one session: when another one is selected, by Python perhaps, it must not be about that one.
  const id = selected?.session_id;
  useLayoutEffect(() => setForm(null), [id]);

  function ask(kind: Form, from: "row" | "button") {
    if (id === undefined || acting.current) return;
    opener.current = from === "button" ? kind : "";
    setForm({ kind, id });
  }

  function leave() {
    wanted.current = opener.current;
    setForm(null);
  }

  /** Runs one call; `done` gets its result, and gives the words to say. A second one at the same time is not begun. */
  async function act<M extends keyof Calls>(
    method: M,
    params: Calls[M][0],
    done: (result: Calls[M][1]) => string,
  ) {
    if (acting.current) return;
    acting.current = true;
    say("working", text.working);
    try {
      say("done", done(await call(method, params)));
    } catch (error) {
      say("failed", wordsOf(error));
    } finally {
      acting.current = false;
    }
  }

  function onSelected<M extends "resume" | "rename" | "extend" | "delete" | "open">(
    method: M,
    more: Omit<Calls[M][0], "session_id">,
    done: (result: Calls[M][1]) => string,
  ) {
    if (selected) act(method, { session_id: selected.session_id, ...more } as Calls[M][0], done);
  }

  function finished(words: string): string {
    leave();
    return words;
  }

  return {
    form: form?.id === id ? (form?.kind ?? null) : null,
    ask,
    leave,
    status,
    say,
    busy: status.state === "working",
    code,
    refresh: () => act("refresh", {}, () => text.refreshed),
    resume: () => onSelected("resume", {}, (words) => words),
    rename: (name) => onSelected("rename", { name }, finished),
    extend: (ttl) => onSelected("extend", { ttl }, finished),
    open: () =>
      onSelected("open", {}, ({ said, code }) => {
        setCode(code);
        return said;
      }),
    closeOpened: () => act("close", {}, () => ""),
    remove() {
      const next = neighbour();
      onSelected("delete", {}, (words) => {
        select(next);
        wanted.current = "";
        setForm(null);
        return words;
      });
    },
  };
}

/** The row that Tab leads to; the search field where there is none. */
export function focusRow(root: HTMLElement | null): void {
  const row = root?.querySelector<HTMLElement>("tbody tr[tabindex='0']");
  (row ?? root?.querySelector("input"))?.focus();
}
