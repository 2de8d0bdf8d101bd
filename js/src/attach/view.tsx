import { useEffect, useState } from "preact/hooks";
import type { Rpc } from "../shared/rpc";
import { ChooseFiles, UploadList, useDrop, useUploads } from "../shared/uploads";
import { FileList } from "./files";
import type { AttachTraits } from "./model";
import { text } from "./strings";

export interface AttachProps extends Omit<AttachTraits, "state"> {
  rpc: Pick<Rpc, "call">;
}

/** Where files are dropped, what is on its way, and what the session has. */
export function Attach(props: AttachProps) {
  const { session_id, session_name, deleted, max_bytes, files, rpc } = props;
  const [said, setSaid] = useState({ words: "", failed: false, inRow: false });
  const uploads = useUploads(rpc, session_id, max_bytes, (news) => setSaid({ ...news, failed: false }));
  const { over, handlers } = useDrop(uploads.add);
  useEffect(() => {
    if (deleted) setSaid({ words: text.deleted(session_name), failed: false, inRow: true });
  }, [deleted]);
  const isEmpty = !files.length && !uploads.uploads.length;
  return (
    <section
      class={`sg-widget sg-attach ${over ? "sg-over" : ""}`}
      aria-label={text.title(session_name)}
      data-lm-suppress-shortcuts="true"
      onKeyDown={(event) => event.stopPropagation()}
      {...handlers}
    >
      <div class="sg-attach-drop">
        {deleted ? (
          <p>{text.deleted(session_name)}</p>
        ) : (
          <>
            <p>
              {over ? text.dropNow : text.drop} <ChooseFiles add={uploads.add} /> · {text.each(max_bytes)}
            </p>
            <Where {...props} />
            {isEmpty && <p class="sg-muted">{text.hint}</p>}
          </>
        )}
      </div>
      <FileList
        files={files}
        session_id={session_id}
        rpc={rpc}
        say={(words, failed = false) => setSaid({ words, failed, inRow: false })}
      />
      <UploadList {...uploads} />
      <div class="sg-attach-foot">
        <span class="sg-muted">{files.length > 0 && text.total(files)}</span>
        <p role="status" class={said.failed ? "sg-failed" : ""}>
          <span class={said.inRow ? "sg-hidden" : ""}>{said.words}</span>
        </p>
      </div>
    </section>
  );
}

/** Before anything is sent: to whom, and whether it is kept. */
function Where({ destination, session_name, retained }: AttachProps) {
  return (
    <p class="sg-muted">
      to {destination} · session <b>{session_name}</b> · <b>{retained ? text.retained : text.notRetained}</b>
    </p>
  );
}
