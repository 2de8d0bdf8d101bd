import { useRef, useState } from "preact/hooks";
import { copyText } from "../shared/clipboard";
import { middle, size, wordsOf } from "../shared/format";
import { CheckIcon } from "../shared/icons";
import type { Rpc } from "../shared/rpc";
import { CrossButton, FileName, useKeptFocus } from "../shared/uploads";
import type { AttachedFile } from "./model";
import { text } from "./strings";

export interface FileListProps {
  files: AttachedFile[];
  session_id: string;
  rpc: Pick<Rpc, "call">;
  say(words: string, failed?: boolean): void;
}

/** What the session has, oldest first. */
export function FileList({ files, session_id, rpc, say }: FileListProps) {
  const list = useRef<HTMLUListElement>(null);
  const [leaving, setLeaving] = useState<string>();
  useKeptFocus(list, files.length);

  async function detach(key: string, file_idx: number, { name, sha256 }: AttachedFile) {
    if (leaving !== undefined) return;
    setLeaving(key);
    say(text.detaching(name));
    try {
      await rpc.call("detach_file", { session_id, file_idx, name, sha256 });
      say(text.detached(name));
    } catch (error) {
      say(wordsOf(error), true);
    } finally {
      setLeaving(undefined);
    }
  }

  async function copy({ name, sha256 }: AttachedFile) {
    if (await copyText(sha256)) say(text.copied(name));
    else say(text.notCopied, true);
  }

  if (!files.length) return null;
  return (
    <ul class="sg-file-rows" aria-label={text.list} ref={list}>
      {keyed(files).map(({ key, file }, index) => (
        <FileRow
          key={key}
          file={file}
          busy={leaving === key}
          copy={() => copy(file)}
          detach={() => detach(key, index, file)}
        />
      ))}
    </ul>
  );
}

/** A row keeps its key, and with it the focus, when one before it goes; twins are told apart by their order. */
function keyed(files: AttachedFile[]): { key: string; file: AttachedFile }[] {
  const seen = new Map<string, number>();
  return files.map((file) => {
    const content = `${file.sha256} ${file.name}`;
    const twin = seen.get(content) ?? 0;
    seen.set(content, twin + 1);
    return { key: `${twin} ${content}`, file };
  });
}

interface FileRowProps {
  file: AttachedFile;
  busy: boolean;
  copy(): void;
  detach(): void;
}

function FileRow({ file, busy, copy, detach }: FileRowProps) {
  const { name, sha256, verified } = file;
  return (
    <li class="sg-file-row">
      <FileName name={name} />
      <span class="sg-file-rest">
        <span class="sg-file-type sg-muted" title={file.mime_type}>
          {middle(file.content_type_label || file.mime_type, 40)}
        </span>
        <span class="sg-file-size">{size(file.size)}</span>
        <button type="button" class="sg-file-hash sg-hash" title={sha256} onClick={copy}>
          <code>{middle(sha256, 9)}</code> copy<span class="sg-hidden"> the sha256 of {name}</span>
        </button>
        <span
          class={`sg-file-state ${verified ? "sg-verified" : "sg-muted"}`}
          title={verified ? text.verifiedHow : text.unverifiedHow}
        >
          {verified && <CheckIcon />}
          {verified ? text.verified : text.unverified}
        </span>
        <CrossButton words={text.detach(name)} busy={busy} onClick={detach} />
      </span>
    </li>
  );
}
