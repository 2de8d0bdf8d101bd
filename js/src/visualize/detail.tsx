import type { RefObject } from "preact";
import { copyText } from "../shared/clipboard";
import { SafeHtml } from "../shared/safe-html";
import { GraphView } from "./graph-part";
import { type Host, words } from "./host";
import type { Detail, Part } from "./model";
import { detailText as text } from "./strings";
import { TableView } from "./table-part";
import { TimelineView } from "./timeline-part";
import { IconButton } from "./toolbar";
import type { Shown } from "./use-detail";
import { useMarks } from "./use-marks";

export interface DetailProps {
  shown: Shown;
  host: Host;
  pane: RefObject<HTMLElement>;
  /** What is searched for: it is marked here. */
  wanted: string;
  selectedCount: number;
  onStep(step: 1 | -1): void;
  say(words: string): void;
}

/** What the active line says in full. */
export function DetailPane({ shown, host, pane, wanted, selectedCount, onStep, say }: DetailProps) {
  const { detail, isLoading, error, retry } = shown;
  useMarks(pane, wanted, detail);
  async function copy(part?: number) {
    if (!detail) return;
    say(await copied(host, detail.message, part));
  }
  return (
    <section
      ref={pane}
      class="sg-detail"
      aria-label={text.region}
      aria-busy={isLoading}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must be able to
      tabIndex={0}
    >
      {error && (
        <p class="sg-detail-error" role="alert">
          {error}{" "}
          <button type="button" class="sg-button" onClick={retry}>
            {text.retry}
          </button>
        </p>
      )}
      {!detail && !error && (
        <p class="sg-hint">
          {isLoading ? text.loading : text.hint}
          {!isLoading && <small>{text.keys}</small>}
        </p>
      )}
      {detail && (
        <article key={detail.message} class={isLoading ? "sg-late" : ""}>
          <header>
            <h3>
              <span class="sg-heading">{detail.heading}</span>
              {detail.title && <bdi class="sg-detail-title">{detail.title}</bdi>}
            </h3>
            <div class="sg-detail-commands">
              <IconButton title={text.previous} path="m3 9 4-4 4 4" onPress={() => onStep(-1)} />
              <IconButton title={text.next} path="m3 5 4 4 4-4" onPress={() => onStep(1)} />
              {detail.message >= 0 && (
                <button type="button" class="sg-button" title={text.copyTitle} onClick={() => copy()}>
                  {text.copy}
                </button>
              )}
            </div>
          </header>
          {selectedCount > 1 && <p class="sg-muted sg-selected-count">{text.selected(selectedCount)}</p>}
          <Facts facts={detail.facts} />
          {detail.parts.map((part, number) => (
            <PartView key={number} part={part} onCopy={() => copy(number)} />
          ))}
        </article>
      )}
    </section>
  );
}

function Facts({ facts }: { facts: Detail["facts"] }) {
  const [first, rest] = [facts.slice(0, 4), facts.slice(4)];
  return (
    <>
      <FactList facts={first} />
      {rest.length > 0 && (
        <details class="sg-more-facts">
          <summary>{rest.map(([name]) => name).join(", ")}</summary>
          <FactList facts={rest} />
        </details>
      )}
    </>
  );
}

function FactList({ facts }: { facts: Detail["facts"] }) {
  return (
    <dl class="sg-facts">
      {facts.map(([name, value], number) => (
        <div key={`${number} ${name}`}>
          <dt>{name}</dt>
          <dd>
            <bdi>{value}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function PartView({ part, onCopy }: { part: Part; onCopy(): void }) {
  if (part.kind === "html") return <SafeHtml html={part.html} />;
  if (part.kind === "table") return <TableView part={part} onCopy={onCopy} />;
  if (part.kind === "timeline") return <TimelineView part={part} onCopy={onCopy} />;
  return <GraphView part={part} onCopy={onCopy} />;
}

/** Copies what the kernel has, exactly; says how that went. */
async function copied(host: Host, message: number, part: number | undefined): Promise<string> {
  try {
    const params = part === undefined ? { message } : { message, part };
    const { result } = await host.call("copy", params);
    if (!(await copyText(result.text))) return text.noClipboard;
    return result.is_cut ? text.copiedCut : text.copied;
  } catch (error) {
    return words(error);
  }
}
