import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { text } from "./strings";

/** What is needed of the front end's widget manager; marimo's has less. */
export interface WidgetManager {
  get_model(id: string): Promise<unknown>;
  create_view(model: unknown): Promise<{ el: HTMLElement; remove(): void }>;
}

/** The manager, where this front end can show one widget within another. */
export function managerOf(candidate: unknown): WidgetManager | undefined {
  const manager = candidate as Partial<WidgetManager> | null | undefined;
  return typeof manager?.get_model === "function" && typeof manager.create_view === "function"
    ? (manager as WidgetManager)
    : undefined;
}

interface OpenedProps {
  name: string;
  /** `IPY_MODEL_…`. */
  reference: string;
  manager: WidgetManager | undefined;
  /** The line that shows it in a cell of its own. */
  code: string;
  close(): void;
  /** Takes the focus when it would go away with what is shown. */
  takeFocus(): void;
}

/** A session's widget within this one. */
export function Opened({ name, reference, manager, code, close, takeFocus }: OpenedProps) {
  const section = useRef<HTMLElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const [problem, setProblem] = useState("");

  useEffect(() => {
    let ended = false;
    let view: { remove(): void } | undefined;
    setProblem(manager ? "" : text.noChild);
    manager
      ?.get_model(reference.replace(/^IPY_MODEL_/, ""))
      .then((model) => manager.create_view(model))
      .then((made) => {
        if (ended) made.remove();
        else {
          view = made;
          place.current?.replaceChildren(made.el);
        }
      })
      .catch(() => ended || setProblem(text.childFailed));
    return () => {
      ended = true;
      view?.remove();
    };
  }, [reference]);

  useLayoutEffect(() => {
    const own = section.current;
    return () => {
      const { activeElement } = (own?.getRootNode() ?? document) as Document | ShadowRoot;
      if (own?.contains(activeElement)) takeFocus();
    };
  }, []);

  return (
    <section ref={section} class="sg-sessions-opened" aria-label={text.openedTitle(name)}>
      <div class="sg-sessions-head">
        <b title={name}>{text.openedTitle(name)}</b>
        <button type="button" class="sg-button" onClick={close}>
          {text.close}
        </button>
      </div>
      {problem && (
        <p class="sg-sessions-problem">
          {problem} <code>{code}</code>
        </p>
      )}
      <div ref={place} class="sg-sessions-child" />
    </section>
  );
}
