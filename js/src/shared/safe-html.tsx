import DOMPurify from "dompurify";
import { useLayoutEffect, useRef } from "preact/hooks";

// What `render/html.py` makes, and nothing else: the kernel has sanitised it, this is the second gate.
const TAGS = [
  "a", "blockquote", "br", "code", "del", "details", "div", "em", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol",
  "p", "pre", "s", "span", "strong", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul",
]; // biome-ignore format: a list to be read at a glance

/** Markup from the kernel's `render/` as nodes: no script, no handler, no request, whatever it says. */
export function safeNodes(html: string): DocumentFragment {
  const nodes = DOMPurify.sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["alt", "href", "open", "rel", "src", "start", "style"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|data:image\/(?:png|gif|jpeg|webp);base64,)/i,
  });
  for (const image of nodes.querySelectorAll("img")) if (!image.src.startsWith("data:")) image.remove(); // it would load something
  for (const node of nodes.querySelectorAll<HTMLElement>("[style]"))
    if (/url|image-set|expression|@import|position|\\/i.test(node.getAttribute("style") ?? ""))
      node.removeAttribute("style");
  for (const link of nodes.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  return nodes;
}

/** The same as a part of a view. */
export function SafeHtml({ html, class: name = "" }: { html: string; class?: string }) {
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => place.current?.replaceChildren(safeNodes(html)), [html]);
  return <div ref={place} class={`sg-html ${name}`} />;
}
