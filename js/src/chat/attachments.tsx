import { useRef } from "preact/hooks";
import type { AttachedFile } from "../attach/model";
import { count, size } from "../shared/format";
import type { Upload } from "../shared/upload";
import {
  ChooseFiles,
  CrossButton,
  FileName,
  UploadList,
  type Uploads,
  useKeptFocus,
} from "../shared/uploads";
import { text } from "./strings";

/** How many attachments are listed by name. */
const SHOWN = 8;

/** Whether it may still arrive, so that a prompt that is sent now would miss it. */
export function isUnderWay({ state }: Upload): boolean {
  return state !== "failed" && state !== "known" && state !== "asking";
}

export interface AttachmentsProps {
  files: AttachedFile[];
  uploads: Uploads;
  /** Files are held above the chat. */
  over: boolean;
  detach(index: number, file: AttachedFile): void;
}

/** What the session has and what is on its way to it: short, since the prompt is the matter here. */
export function Attachments({ files, uploads, over, detach }: AttachmentsProps) {
  const list = useRef<HTMLUListElement>(null);
  useKeptFocus(list, files.length);
  const more = files.length - SHOWN;
  return (
    <>
      <UploadList {...uploads} />
      <div class="sg-chat-files">
        {over ? <b>{text.dropNow}</b> : <ChooseFiles add={uploads.add} words={text.attach} />}
        {files.length > 0 && (
          <ul aria-label={text.attached} ref={list}>
            {files.slice(0, SHOWN).map((file, index) => (
              <li key={`${index} ${file.sha256}`} title={file.sha256}>
                <FileName name={file.name} />
                <span class="sg-muted">{size(file.size)}</span>
                <CrossButton words={text.detach(file.name)} onClick={() => detach(index, file)} />
              </li>
            ))}
            {more > 0 && <li class="sg-muted">{text.attachedMore(count(more, "file"))}</li>}
          </ul>
        )}
      </div>
    </>
  );
}
