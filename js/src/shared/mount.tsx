import type { AnyModel, Render } from "@anywidget/types";
import { type ComponentChild, render as renderNode } from "preact";
import { connect, type Rpc } from "./rpc";

/**
 * Notebook 7 takes a key before the page does, and most of its shortcuts mean whatever has the focus, however far up the
 * widget says that they are not wanted: the focused element must say it itself.
 */
function keepKeys(event: FocusEvent): void {
  (event.target as Element).setAttribute("data-lm-suppress-shortcuts", "true");
}

/** A widget's `render`: draws anew when one of `traits` changes, and takes everything back at its end. */
export function mount<T extends object>(
  traits: readonly (keyof T & string)[],
  draw: (model: AnyModel<T>, rpc: Rpc) => ComponentChild,
): { render: Render<T> } {
  return {
    render({ model, el }) {
      const rpc = connect(model);
      const redraw = () => renderNode(draw(model, rpc), el);
      for (const trait of traits) model.on(`change:${trait}`, redraw);
      el.addEventListener("focusin", keepKeys);
      redraw();
      return () => {
        el.removeEventListener("focusin", keepKeys);
        for (const trait of traits) model.off(`change:${trait}`, redraw);
        rpc.close();
        renderNode(null, el);
      };
    },
  };
}
