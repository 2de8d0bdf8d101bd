import type { AnyModel } from "@anywidget/types";
import { mount } from "../shared/mount";
import type { Rpc } from "../shared/rpc";
import type { ChatTraits } from "./model";
import { useStream } from "./stream";
import { Chat, type Draft } from "./view";

/** By model, in the browser only: what was not sent is nobody's, and belongs in no saved notebook. */
const drafts = new WeakMap<object, Draft>();

function Connected({ model, rpc }: { model: AnyModel<ChatTraits>; rpc: Rpc }) {
  const stream = useStream(model, rpc);
  const session_id = model.get("session_id");
  const kept = drafts.get(model) ?? { text: "" };
  drafts.set(model, kept);
  return (
    <Chat
      state={model.get("state")}
      session_id={session_id}
      session_name={model.get("session_name")}
      sessions={model.get("sessions")}
      turns={model.get("turns")}
      earlier={model.get("earlier")}
      destination={model.get("destination")}
      retained={model.get("retained")}
      approvals={model.get("approvals")}
      files={model.get("files")}
      max_bytes={model.get("max_bytes")}
      rpc={rpc}
      stream={stream}
      kept={kept}
      calls={{
        send: (prompt) => rpc.call("send", { session_id, prompt }),
        stop: () => rpc.call("stop", { session_id }),
        retry: () => rpc.call("retry", { session_id }),
        rate: (turn, score, comment) => rpc.call("rate", { session_id, turn, score, comment }),
        detach: (file_idx, { name, sha256 }) =>
          rpc.call("detach_file", { session_id, file_idx, name, sha256 }),
        decide: (question, approve) => rpc.call("decide", { question, approve }),
        listSessions: () => rpc.call("list_sessions", {}),
        switchTo: (id) => rpc.call("switch", { session_id: id }),
        newSession: () => rpc.call("new_session", {}),
      }}
    />
  );
}

export default mount<ChatTraits>(
  [
    "state", "session_id", "session_name", "sessions", "turns", "earlier", "destination", "retained", "approvals",
    "files", "max_bytes",
  ], // biome-ignore format: a list to be read at a glance
  (model, rpc) => <Connected model={model} rpc={rpc} />,
);
