import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { text } from "./strings";

/** Pixels from the end that still count as the end. */
const NEAR = 32;

export interface LogProps {
  /** What is new when it is another one. */
  news: unknown;
  /** Another one was asked here: its reader wants to see it. */
  asked: unknown;
  children: ComponentChildren;
}

/** The conversation. It follows what comes only for a reader who is at its end; others get a button. */
export function Log({ news, asked, children }: LogProps) {
  const place = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const lastTop = useRef(0);
  const [below, setBelow] = useState(false);

  const toEnd = () => {
    if (place.current) place.current.scrollTop = place.current.scrollHeight;
  };
  const read = () => {
    const node = place.current;
    if (!node) return;
    // Only who scrolls up leaves the end: it also moves away when a turn is drawn, and gets its real height.
    if (node.scrollHeight - node.scrollTop - node.clientHeight < NEAR) {
      atEnd.current = true;
      setBelow(false);
    } else if (node.scrollTop < lastTop.current) atEnd.current = false;
    lastTop.current = node.scrollTop;
  };

  useLayoutEffect(() => {
    atEnd.current = true;
    setBelow(false);
    toEnd();
  }, [asked]);
  useLayoutEffect(() => {
    if (atEnd.current) toEnd();
    else setBelow(true);
  }, [news]);
  // Turns get their real height when they are drawn, which is later than they come.
  useEffect(() => {
    if (!content.current) return;
    const observer = new ResizeObserver(() => atEnd.current && toEnd());
    observer.observe(content.current);
    return () => observer.disconnect();
  }, []);

  function jump() {
    atEnd.current = true;
    setBelow(false);
    toEnd();
    place.current?.focus(); // the button goes away
  }

  return (
    <div class="sg-chat-scroll">
      {/* Not live: an answer that grows would be read again and again. The composer's status says how it stands. */}
      <div
        ref={place}
        class="sg-chat-log"
        role="log"
        aria-live="off"
        aria-label={text.log}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by keyboard too
        tabIndex={0}
        onScroll={read}
      >
        <div ref={content}>{children}</div>
      </div>
      {below && (
        <button type="button" class="sg-button sg-chat-below" onClick={jump}>
          {text.below}
        </button>
      )}
    </div>
  );
}
