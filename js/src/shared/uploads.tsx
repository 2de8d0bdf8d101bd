import { useEffect, useRef, useState } from "preact/hooks";
import { middle, size } from "./format";
import type { Rpc } from "./rpc";
import { type Upload, Uploader } from "./upload";
import { uploadText as text } from "./upload-text";

export interface Uploads {
  uploads: Upload[];
  /** The last thing worth telling, for a `role=status`. */
  said: string;
  add(files: Iterable<File>, folders?: Iterable<string>): void;
  cancel(id: string): void;
  dismiss(id: string): void;
  retry(id: string): void;
  attachAnyway(id: string): void;
}

/** The uploads of one view. `session_id` and `limit` (bytes) are those shown when files are added. */
export function useUploads(rpc: Pick<Rpc, "call">, session_id: string, limit: number): Uploads {
  const [uploads, setUploads] = useState<Upload[]>([]);
  const [said, setSaid] = useState("");
  const shown = useRef({ id: session_id, limit });
  shown.current = { id: session_id, limit };
  const uploader = useRef<Uploader>();
  uploader.current ??= new Uploader(
    rpc,
    () => shown.current,
    (now, words) => {
      setUploads(now);
      if (words) setSaid(words);
    },
  );
  useEffect(() => () => uploader.current?.close(), []);
  const own = uploader.current;
  return {
    uploads,
    said,
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
      <button type="button" class={name} onClick={() => input.current?.click()}>
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

/** The uploads that are on their way or need an answer, one line each; nothing where there are none. */
export function UploadList({ uploads, ...api }: Uploads) {
  const list = useRef<HTMLUListElement>(null);
  if (!uploads.length) return null;
  return (
    <ul class="sg-uploads" aria-label={text.list} ref={list}>
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
    <li class={`sg-upload sg-upload-${state}`}>
      <span class="sg-file-name" title={name}>
        <bdi>{middle(name, 60)}</bdi>
      </span>
      <span class="sg-file-size">{size(upload.size)}</span>
      <UploadProgress upload={upload} />
      <button
        type="button"
        class="sg-cross"
        aria-label={isOver ? text.dismiss(name) : text.cancel(name)}
        title={isOver ? text.dismiss(name) : text.cancel(name)}
        onClick={() => (isOver ? dismiss(id) : cancel(id))}
      >
        <CrossIcon />
      </button>
      {words && (
        <p class="sg-upload-words">
          {words}
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

function UploadProgress({ upload }: { upload: Upload }) {
  const { state, part, secondsLeft } = upload;
  if (state === "failed" || state === "known" || state === "asking") return null;
  const words =
    state === "uploading"
      ? text.left(part, secondsLeft)
      : state === "hashing"
        ? `${text.hashing} ${text.percent(part)}`
        : state === "storing"
          ? text.storing
          : state === "waiting"
            ? text.percent(part)
            : text.queued;
  return (
    <>
      <progress
        class="sg-progress"
        aria-label={text.progress(upload.name)}
        max={1}
        value={state === "queued" || state === "hashing" ? 0 : part}
      />
      <span class="sg-upload-state">{words}</span>
    </>
  );
}

export function CrossIcon() {
  return (
    <svg class="sg-icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d="m4 4 8 8m0-8-8 8" />
    </svg>
  );
}
