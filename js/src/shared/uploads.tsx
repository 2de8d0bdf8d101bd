import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { middle, size } from "./format";
import type { Rpc } from "./rpc";
import { type Said, type Upload, Uploader } from "./upload";
import { uploadText as text } from "./upload-text";

export interface Uploads {
  uploads: Upload[];
  add(files: Iterable<File>, folders?: Iterable<string>): void;
  cancel(id: string): void;
  dismiss(id: string): void;
  retry(id: string): void;
  attachAnyway(id: string): void;
}

/**
 * The uploads of one view. `session_id` and `limit` (bytes) are those shown when files are added; `say` gets what
 * belongs into a `role=status`.
 */
export function useUploads(
  rpc: Pick<Rpc, "call">,
  session_id: string,
  limit: number,
  say: (said: Said) => void,
): Uploads {
  const [uploads, setUploads] = useState<Upload[]>([]);
  const shown = useRef({ id: session_id, limit });
  shown.current = { id: session_id, limit };
  const uploader = useRef<Uploader>();
  uploader.current ??= new Uploader(
    rpc,
    () => shown.current,
    (now, said) => {
      setUploads(now);
      if (said) say(said);
    },
  );
  useEffect(() => () => uploader.current?.close(), []);
  const own = uploader.current;
  return {
    uploads,
    add: (files, folders) => own.add(files, folders),
    cancel: (id) => void own.cancel(id),
    dismiss: (id) => own.dismiss(id),
    retry: (id) => own.retry(id),
    attachAnyway: (id) => own.attachAnyway(id),
  };
}

/** What was dropped or pasted: files, and the names of folders, which a browser gives as files that cannot be read. */
export function filesOf(transfer: DataTransfer | null): { files: File[]; folders: string[] } {
  const files: File[] = [];
  const folders: string[] = [];
  for (const item of transfer?.items ?? []) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry?.();
    const file = item.getAsFile();
    if (entry?.isDirectory) folders.push(entry.name);
    else if (file) files.push(file);
  }
  return { files, folders };
}

/** Handlers for an element that takes files by drop and paste; `over` while files are held above it. */
export function useDrop(add: Uploads["add"]) {
  const [over, setOver] = useState(false);
  const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  const onDragOver = (event: DragEvent) => {
    if (!holdsFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = "copy";
    setOver(true);
  };
  return {
    over,
    handlers: {
      onDragEnter: onDragOver,
      onDragOver,
      onDragLeave: (event: DragEvent & { currentTarget: Element }) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      },
      onDrop: (event: DragEvent) => {
        if (!holdsFiles(event)) return;
        event.preventDefault(); // the browser would leave the notebook to show the file
        event.stopPropagation();
        setOver(false);
        const { files, folders } = filesOf(event.dataTransfer);
        add(files, folders);
      },
      onPaste: (event: ClipboardEvent) => {
        const { files, folders } = filesOf(event.clipboardData);
        if (!files.length && !folders.length) return;
        event.preventDefault();
        event.stopPropagation();
        add(files, folders);
      },
    },
  };
}

interface ChooseFilesProps {
  add: Uploads["add"];
  class?: string;
  words?: string;
}

/** A button that opens the system's choice of files. */
export function ChooseFiles({ add, class: name = "sg-link", words = text.choose }: ChooseFilesProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class={`sg-choose ${name}`} onClick={() => input.current?.click()}>
        {words}
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        onChange={(event) => {
          const field = event.currentTarget;
          add([...(field.files ?? [])]);
          field.value = ""; // the same file may be chosen again
        }}
      />
    </>
  );
}

/** The uploads that are on their way or need an answer, one row each; nothing where there are none. */
export function UploadList({ uploads, ...api }: Uploads) {
  const list = useRef<HTMLUListElement>(null);
  useKeptFocus(list, uploads.length);
  if (!uploads.length) return null;
  return (
    <ul class="sg-file-rows" aria-label={text.list} ref={list}>
      {uploads.map((upload) => (
        <UploadRow key={upload.id} upload={upload} {...api} />
      ))}
    </ul>
  );
}

type RowProps = { upload: Upload } & Omit<Uploads, "uploads">;

function UploadRow({ upload, cancel, dismiss, retry, attachAnyway }: RowProps) {
  const { id, state, name, words } = upload;
  const isOver = state === "failed" || state === "known" || state === "asking";
  return (
    <li class={`sg-file-row sg-upload-${state}`}>
      <FileName name={name} />
      <span class="sg-file-rest">
        <span class="sg-file-type" />
        <span class="sg-file-size">{size(upload.size)}</span>
        <UploadProgress upload={upload} />
        <CrossButton
          words={isOver ? text.dismiss(name) : text.cancel(name)}
          onClick={() => (isOver ? dismiss(id) : cancel(id))}
        />
      </span>
      {words && (
        <p class="sg-file-words">
          <span>{words}</span>
          {upload.canRetry && <Choice words={text.retry} name={name} onClick={() => retry(id)} />}
          {state === "asking" && (
            <>
              <Choice words={text.attachAnyway} name={name} onClick={() => attachAnyway(id)} />
              <Choice words={text.leaveOut} name={name} onClick={() => dismiss(id)} />
            </>
          )}
        </p>
      )}
    </li>
  );
}

function Choice({ words, name, onClick }: { words: string; name: string; onClick(): void }) {
  return (
    <button type="button" class="sg-button" aria-label={`${words}: ${name}`} onClick={onClick}>
      {words}
    </button>
  );
}

const PROGRESS: Partial<Record<Upload["state"], (upload: Upload) => string>> = {
  queued: () => text.queued,
  hashing: ({ part }) => `${text.hashing} ${text.percent(part)}`,
  uploading: ({ part, secondsLeft }) => text.left(part, secondsLeft),
  waiting: ({ part }) => text.percent(part),
  storing: () => text.storing,
};

function UploadProgress({ upload }: { upload: Upload }) {
  const words = PROGRESS[upload.state]?.(upload);
  const part = upload.state === "queued" || upload.state === "hashing" ? 0 : upload.part;
  return (
    <>
      <span class="sg-file-hash">
        {words && (
          <progress class="sg-progress" aria-label={text.progress(upload.name)} max={1} value={part} />
        )}
      </span>
      <span class="sg-file-state">{words ?? OVER[upload.state]}</span>
    </>
  );
}

const OVER: Partial<Record<Upload["state"], string>> = {
  known: text.stateKnown,
  asking: text.stateAsking,
  failed: text.stateFailed,
};

/** A name that may be long: where it does not fit, its end stays in sight. */
export function FileName({ name }: { name: string }) {
  const chars = [...middle(name, 300)];
  const tail = chars.length > 20 ? 10 : 0;
  return (
    <bdi class="sg-file-name" title={middle(name, 1000)}>
      <span>{chars.slice(0, chars.length - tail).join("")}</span>
      {tail > 0 && <span>{chars.slice(-tail).join("")}</span>}
    </bdi>
  );
}

interface CrossProps {
  words: string;
  busy?: boolean;
  onClick(): void;
}

/** The button at a row's end that takes its file away. */
export function CrossButton({ words, busy = false, onClick }: CrossProps) {
  return (
    <button
      type="button"
      class="sg-cross"
      aria-label={words}
      title={words}
      aria-disabled={busy}
      onClick={() => !busy && onClick()}
    >
      <svg class="sg-icon" viewBox="0 0 16 16" aria-hidden="true">
        <path d="m4 4 8 8m0-8-8 8" />
      </svg>
    </button>
  );
}

/**
 * Where a list's button goes away with its row while it has the focus, the one that comes to its place gets it, or
 * the button that adds files: the keyboard must not fall out of the widget.
 */
export function useKeptFocus(list: { current: HTMLElement | null }, count: number): void {
  const last = useRef<{ widget: Element | null; index: number }>();
  useLayoutEffect(() => {
    const own = list.current;
    if (!own) return;
    const remember = (event: FocusEvent) => {
      const rows = [...own.querySelectorAll("li")];
      const index = rows.findIndex((row) => row.contains(event.target as Node));
      last.current = { widget: own.closest(".sg-widget"), index };
    };
    const forget = (event: FocusEvent) => {
      if (event.relatedTarget) last.current = undefined; // it went on, and was not taken away
    };
    own.addEventListener("focusin", remember);
    own.addEventListener("focusout", forget);
    return () => {
      own.removeEventListener("focusin", remember);
      own.removeEventListener("focusout", forget);
    };
  }, [count === 0]);
  useLayoutEffect(() => {
    const lost = last.current;
    if (!lost?.widget) return;
    const root = lost.widget.getRootNode() as Document | ShadowRoot;
    if (root.activeElement && root.activeElement !== document.body) return;
    const buttons = list.current?.querySelectorAll<HTMLElement>(".sg-cross") ?? [];
    const next = buttons[Math.min(lost.index, buttons.length - 1)];
    (next ?? lost.widget.querySelector<HTMLElement>(".sg-choose"))?.focus();
    if (!next) last.current = undefined;
  }, [count]);
}
