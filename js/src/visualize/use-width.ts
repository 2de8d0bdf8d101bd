import { useLayoutEffect, useState } from "preact/hooks";

/** A ref for an element, and the element's width in pixels as it changes. */
export function useWidth<T extends HTMLElement>(before: number): [(node: T | null) => void, number] {
  const [node, setNode] = useState<T | null>(null);
  const [width, setWidth] = useState(before);
  useLayoutEffect(() => {
    if (!node) return;
    const look = () => setWidth(node.clientWidth || before);
    look();
    if (typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(look);
    observer.observe(node);
    return () => observer.disconnect();
  }, [node]);
  return [setNode, width];
}
