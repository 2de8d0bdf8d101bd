import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useUid } from "../shared/use-uid";

export interface MenuItem {
  key: string | number;
  words: string;
  /** Stands at the right: a count. */
  note?: string;
  /** For one of several choices; without it, a command. */
  isChecked?: boolean;
  isDisabled?: boolean;
}

export interface MenuProps {
  /** The button's words, and the whole of what it is for. */
  words: ComponentChildren;
  title: string;
  isPressed?: boolean;
  items: MenuItem[];
  /** Stands below the items: how many there are besides. */
  more?: string | undefined;
  onPick(key: MenuItem["key"]): void;
}

/** A button that opens a menu of commands or choices. A choice leaves it open, a command closes it. */
export function Menu({ words, title, isPressed = false, items, more, onPick }: MenuProps) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const id = useUid();

  function close(focus = true) {
    setOpen(false);
    if (focus) button.current?.focus();
  }

  useLayoutEffect(() => {
    if (isOpen) focusItem(0);
  }, [isOpen]);

  useEffect(() => {
    if (!isOpen) return;
    const away = (event: Event) => {
      if (!event.composedPath().includes(root.current as EventTarget)) setOpen(false);
    };
    document.addEventListener("pointerdown", away, true);
    return () => document.removeEventListener("pointerdown", away, true);
  }, [isOpen]);

  const nodes = () => [...(list.current?.querySelectorAll<HTMLElement>("[data-item]") ?? [])];
  const focusItem = (place: number) => nodes().at(place)?.focus({ preventScroll: false });

  function pick(item: MenuItem) {
    if (item.isDisabled) return;
    onPick(item.key);
    if (item.isChecked === undefined) close();
  }

  function press(event: KeyboardEvent) {
    const all = nodes();
    const place = all.indexOf(event.target as HTMLElement);
    const moves: Record<string, () => void> = {
      ArrowDown: () => focusItem((place + 1) % all.length),
      ArrowUp: () => focusItem((place - 1 + all.length) % all.length),
      Home: () => focusItem(0),
      End: () => focusItem(-1),
      Escape: () => close(),
    };
    const move = moves[event.key];
    if (event.key === "Tab") setOpen(false);
    else if (move) {
      event.preventDefault();
      move();
    } else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey)
      [...all.slice(place + 1), ...all.slice(0, place + 1)]
        .find((item) => item.textContent?.trim().toLowerCase().startsWith(event.key.toLowerCase()))
        ?.focus();
  }

  function openByKey(event: KeyboardEvent) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    setOpen(true);
  }

  return (
    <div class="sg-menu" ref={root}>
      <button
        type="button"
        class="sg-button"
        ref={button}
        title={title}
        aria-label={title}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        data-chosen={isPressed ? "" : undefined}
        onClick={() => setOpen(!isOpen)}
        onKeyDown={openByKey}
      >
        {words}
        <svg class="sg-caret" viewBox="0 0 10 10" aria-hidden="true">
          <path d="M1.5 3.5h7L5 7.5z" />
        </svg>
      </button>
      {isOpen && (
        <div class="sg-menu-list">
          <div id={id} role="menu" aria-label={title} ref={list} onKeyDown={press}>
            {items.map((item) => (
              <button
                type="button"
                key={item.key}
                {...(item.isChecked === undefined
                  ? { role: "menuitem" }
                  : { role: "menuitemcheckbox", "aria-checked": item.isChecked })}
                aria-disabled={item.isDisabled || undefined}
                tabIndex={-1}
                class="sg-menu-item"
                data-item=""
                onClick={() => pick(item)}
              >
                {item.isChecked !== undefined && <Check isChecked={item.isChecked} />}
                <bdi class="sg-menu-words">{item.words}</bdi>
                {item.note !== undefined && <span class="sg-menu-note">{item.note}</span>}
              </button>
            ))}
          </div>
          {more && <p class="sg-menu-more">{more}</p>}
        </div>
      )}
    </div>
  );
}

function Check({ isChecked }: { isChecked: boolean }) {
  return (
    <svg class="sg-check" viewBox="0 0 14 14" aria-hidden="true">
      <rect x="1" y="1" width="12" height="12" rx="3" />
      {isChecked && <path d="m3.5 7.2 2.4 2.4 4.6-5" />}
    </svg>
  );
}
