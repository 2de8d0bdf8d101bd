import { mount } from "../shared/mount";
import { type AttachTraits, TRAITS } from "./model";
import { Attach } from "./view";

export default mount<AttachTraits>(TRAITS, (model, rpc) => (
  <Attach
    session_id={model.get("session_id")}
    session_name={model.get("session_name")}
    deleted={model.get("deleted")}
    destination={model.get("destination")}
    retained={model.get("retained")}
    max_bytes={model.get("max_bytes")}
    files={model.get("files")}
    rpc={rpc}
  />
));
