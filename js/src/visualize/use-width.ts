import type { Ref } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

/** An element's width in pixels, as it changes. */
export function useWidth<T extends HTMLElement>(before: number): [Ref<T>, number] {
  const element = useRef<T>(null);
  const [width, setWidth] = useState(before);
  useLayoutEffect(() => {
    const node = element.current;
    if (!node) return;
    const look = () => setWidth(node.clientWidth || before);
    look();
    if (typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(look);
    observer.observe(node);
    return () => observer.disconnect();
  });
  return [element, width];
}
