import { mount } from "../shared/mount";
import type { SessionsTraits } from "./model";
import { managerOf } from "./opened";
import type { Call } from "./use-sessions";
import { Sessions } from "./view";

const TRAITS = [
  "sessions", "selected", "opened", "opened_id", "state", "total", "listed_at", "destination",
] as const; // biome-ignore format: a list to be read at a glance

export default mount<SessionsTraits>(TRAITS, (model, rpc) => {
  const traits = Object.fromEntries(
    TRAITS.map((name) => [name, model.get(name)]),
  ) as unknown as SessionsTraits;
  const call: Call = async (method, params) => (await rpc.call(method, params)).result as never;
  const select = (id: string) => {
    model.set("selected", id);
    model.save_changes();
  };
  return <Sessions {...traits} call={call} select={select} manager={managerOf(model.widget_manager)} />;
});
