import { mount } from "../shared/mount";
import type { Rpc } from "../shared/rpc";
import type { Host } from "./host";
import type { VisualizeTraits } from "./model";
import { Visualize } from "./view";

const hosts = new WeakMap<Rpc, Host>();

/** One host a view, the same object each time it is drawn. */
function hostOf(rpc: Rpc, embedded: Host["embedded"]): Host {
  const host = hosts.get(rpc) ?? { call: rpc.call as Host["call"], embedded };
  host.embedded = embedded;
  hosts.set(rpc, host);
  return host;
}

export default mount<VisualizeTraits>(["session_name", "selected", "running", "embedded"], (model, rpc) => (
  <Visualize
    session_id={model.get("session_id")}
    session_name={model.get("session_name")}
    index={model.get("index")}
    selected={model.get("selected")}
    running={model.get("running")}
    embedded={model.get("embedded")}
    host={hostOf(rpc, model.get("embedded"))}
    channel={model}
    onSelect={(positions) => {
      model.set("selected", positions);
      model.save_changes();
    }}
  />
));
