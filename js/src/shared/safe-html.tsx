import { useLayoutEffect, useRef } from "preact/hooks";

// What `render/html.py` makes, and nothing else: the kernel has sanitised it, this is the second gate. It parses the
// markup in a document without a window, where nothing runs or loads, and builds new nodes of what it knows; the markup
// itself never comes near the page. No text is parsed twice, so none can change its meaning in between.
const TAGS = new Set([
  "a", "blockquote", "br", "code", "del", "details", "div", "em", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol",
  "p", "pre", "s", "span", "strong", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul",
]); // biome-ignore format: a list to be read at a glance

/** Others are left out, and what is in them stays; of these nothing stays. */
const DROPPED =
  /^(?:applet|audio|embed|frame|frameset|iframe|math|noembed|noframes|noscript|object|plaintext|script|select|style|svg|template|textarea|title|video|xmp)$/;

const STYLES =
  /^(?:background-color|border(?!-image).*|color|cursor|font-(?:family|size|style|weight|variant-numeric)|line-height|list-style-type|margin-.+|max-(?:height|width)|opacity|overflow.*|padding-.+|table-layout|text-align|vertical-align|text-wrap.*|white-space.*|width|height)$/;

/** Elements within each other; the parsers of browsers stop at about the same. */
const MAX_DEPTH = 500;

/** Markup from the kernel's `render/` as nodes: no script, no handler, no request, whatever it says. */
export function safeNodes(html: string): DocumentFragment {
  const nodes = document.createDocumentFragment();
  rebuild(new DOMParser().parseFromString(html, "text/html").body, nodes, 0);
  return nodes;
}

function rebuild(from: Element, into: ParentNode & Node, depth: number): void {
  for (const child of from.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) into.appendChild(document.createTextNode(child.textContent ?? ""));
    if (child.nodeType !== Node.ELEMENT_NODE) continue;
    const element = child as HTMLElement;
    const tag = element.localName;
    if (DROPPED.test(tag) || depth > MAX_DEPTH) continue;
    const made = TAGS.has(tag) ? make(tag, element) : null;
    if (made) into.appendChild(made);
    rebuild(element, made ?? into, depth + 1);
  }
}

/** A new element with what it may keep of the old one; none for an image that would have to be loaded. */
function make(tag: string, from: HTMLElement): HTMLElement | null {
  const element = document.createElement(tag);
  const value = (name: string) => from.getAttribute(name) ?? "";
  if (element instanceof HTMLImageElement) {
    if (!/^data:image\/(?:png|gif|jpeg|webp);base64,[\w+/=]+$/.test(value("src"))) return null;
    element.src = value("src");
    element.alt = value("alt");
  }
  if (element instanceof HTMLAnchorElement && /^(?:https?:\/\/|mailto:)/i.test(value("href"))) {
    element.href = value("href");
    element.target = "_blank";
    element.rel = "noopener noreferrer";
  }
  if (element instanceof HTMLOListElement && /^\d{1,9}$/.test(value("start")))
    element.start = Number(value("start"));
  if (element instanceof HTMLDetailsElement) element.open = from.hasAttribute("open");
  copyStyle(from.style, element.style);
  return element;
}

/** Only what cannot load anything nor move the element out of its place. */
function copyStyle(from: CSSStyleDeclaration | undefined, to: CSSStyleDeclaration): void {
  if (!from) return;
  for (let n = 0; n < from.length; n++) {
    const name = from[n] ?? "";
    const value = from.getPropertyValue(name);
    const isSize = name === "width" || name === "height";
    if (
      STYLES.test(name) &&
      (!isSize || value === "auto") &&
      !/^initial$|\(\s*["']?[a-z]+:|url|image|var\(|\\|^-|\s-\d/i.test(value)
    )
      to.setProperty(name, value);
  }
}

/** What scrolls within can be reached by keyboard; how much there is to see may change when a `details` opens. */
function letReach(place: HTMLElement): void {
  for (const node of place.querySelectorAll<HTMLElement>("[style*=overflow]")) {
    const { overflow, overflowX } = node.style;
    const isLarger = node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight;
    if (isLarger && (overflow === "auto" || overflowX === "auto")) node.tabIndex = 0;
  }
}

/** The same as a part of a view. */
export function SafeHtml({ html, class: name = "" }: { html: string; class?: string }) {
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const node = place.current;
    if (!node) return;
    node.replaceChildren(safeNodes(html));
    letReach(node);
    const onToggle = () => letReach(node);
    node.addEventListener("toggle", onToggle, true); // it does not bubble
    return () => node.removeEventListener("toggle", onToggle, true);
  }, [html]);
  return <div ref={place} class={`sg-html ${name}`} />;
}
