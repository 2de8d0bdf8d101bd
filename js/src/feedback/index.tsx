import { mount } from "../shared/mount";
import type { FeedbackTraits } from "./model";
import { Feedback } from "./view";

export default mount<FeedbackTraits>(
  ["session_id", "session_name", "label", "sent", "score", "compact"],
  (model, rpc) => {
    const session_id = model.get("session_id");
    return (
      <Feedback
        session_name={model.get("session_name")}
        label={model.get("label")}
        sent={model.get("sent")}
        score={model.get("score")}
        compact={model.get("compact")}
        sendFeedback={(score, comment) => rpc.call("send_feedback", { session_id, score, comment })}
        sendBugReport={(bug) => rpc.call("send_bug_report", { session_id, bug })}
      />
    );
  },
);
