import type { Render } from "@anywidget/types";
import { render as renderNode } from "preact";
import { connect } from "../shared/rpc";
import type { FeedbackTraits } from "./model";
import { Feedback } from "./view";

const render: Render<FeedbackTraits> = ({ model, el }) => {
  const rpc = connect(model);
  const draw = () => {
    const session_id = model.get("session_id");
    renderNode(
      <Feedback
        session_name={model.get("session_name")}
        label={model.get("label")}
        sent={model.get("sent")}
        sendFeedback={(score, comment) => rpc.call("send_feedback", { session_id, score, comment })}
        sendBugReport={(bug) => rpc.call("send_bug_report", { session_id, bug })}
      />,
      el,
    );
  };
  const traits = ["session_id", "session_name", "label", "sent"] as const;
  for (const trait of traits) model.on(`change:${trait}`, draw);
  draw();
  return () => {
    for (const trait of traits) model.off(`change:${trait}`, draw);
    rpc.close();
    renderNode(null, el);
  };
};

export default { render };
