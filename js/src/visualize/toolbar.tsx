import type { Ref } from "preact";
import type { Commands, Format, Scope } from "./commands";
import { type Facet, isFiltering, NO_FILTER, toggled } from "./filter";
import { SHAPE_OF, TONES, type Tone } from "./kinds";
import { Menu } from "./menu";
import type { Picture } from "./picture";
import { exportText, pictureText as text } from "./strings";
import { Mark } from "./tree-row";

export interface ToolbarProps {
  picture: Picture;
  /** What stands in the search field; the picture's `query` follows when the answer is there. */
  typed: string;
  isSearching: boolean;
  hasSession: boolean;
  selectedCount: number;
  field: Ref<HTMLInputElement>;
  onType(text: string): void;
  onStep(step: 1 | -1): void;
  onClear(): void;
  commands: Commands;
}

/** Tones that have a button of their own: what one looks for most. */
const QUICK: [Tone, words: string][] = [
  ["result", "results"],
  ["tool", "tools"],
  ["thinking", "thinking"],
  ["info", "info"],
  ["error", "errors"],
];

type Menued = Exclude<Facet, "tone">;
const MENUS: Menued[] = ["type", "actor", "role", "state", "status"];

/** So many choices of a menu are listed; an actor's name may be anything. */
const LISTED = 100;

export function Toolbar(props: ToolbarProps) {
  const { picture, typed, onStep } = props;
  const canStep = picture.isFiltering && picture.matched.count > 0;
  return (
    <div class="sg-bar-top">
      <div class="sg-search">
        <input
          class="sg-field"
          type="search"
          ref={props.field}
          aria-label={text.search}
          placeholder={text.searchHint}
          maxLength={1000}
          value={typed}
          onInput={(event) => props.onType(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") onStep(event.shiftKey ? -1 : 1);
            if (event.key === "Escape" && typed) props.onType("");
          }}
        />
        <IconButton
          title={text.previous}
          path="m3 9 4-4 4 4"
          isDisabled={!canStep}
          onPress={() => onStep(-1)}
        />
        <IconButton title={text.next} path="m3 5 4 4 4-4" isDisabled={!canStep} onPress={() => onStep(1)} />
        <span class="sg-count" role="status">
          {countWords(props)}
        </span>
      </div>
      <CommandButtons {...props} />
      <fieldset class="sg-filters" aria-label={text.quick}>
        {QUICK.map(([tone, words]) => (
          <QuickButton key={tone} picture={picture} tone={tone} words={words} />
        ))}
        {MENUS.map((facet) => (
          <FacetMenu key={facet} picture={picture} facet={facet} />
        ))}
        {(picture.isNarrowed || typed) && (
          <button type="button" class="sg-button sg-clear" title={text.clearTitle} onClick={props.onClear}>
            {text.clear}
          </button>
        )}
      </fieldset>
    </div>
  );
}

function countWords({ picture, isSearching }: ToolbarProps): string {
  if (isSearching) return text.searching;
  const { count } = picture.matched;
  const words = text.messages(picture.isFiltering ? count : picture.index.messages, picture.index.messages);
  const number = picture.matchNumber();
  return number
    ? `${text.match(number, count)} · ${text.messages(picture.index.messages, picture.index.messages)}`
    : words;
}

function QuickButton({ picture, tone, words }: { picture: Picture; tone: Tone; words: string }) {
  const { filter, matched } = picture;
  const value = TONES.indexOf(tone);
  const isChosen = filter.tone.has(value);
  if (!isChosen && !matched.choices.tone.some((choice) => choice.value === value)) return null;
  return (
    <button
      type="button"
      class="sg-button sg-chip"
      aria-pressed={isChosen}
      onClick={() => picture.setFilter(toggled(filter, "tone", value))}
    >
      <span class={`sg-tone-${tone}`}>
        <Mark shape={SHAPE_OF[tone]} />
      </span>
      {words}
    </button>
  );
}

function FacetMenu({ picture, facet }: { picture: Picture; facet: Menued }) {
  const { filter, matched } = picture;
  const choices = matched.choices[facet];
  if (choices.length < 2 && filter[facet].size === 0) return null; // it would change nothing
  const listed = choices.slice(0, LISTED);
  return (
    <Menu
      words={text.filters[facet]}
      title={text.filterBy(text.filters[facet], filter[facet].size)}
      isPressed={filter[facet].size > 0}
      items={listed.map(({ value, words, count }) => ({
        key: value,
        words,
        note: count.toLocaleString("en"),
        isChecked: filter[facet].has(value),
      }))}
      more={choices.length > LISTED ? text.more(choices.length - LISTED) : undefined}
      onPick={(value) => picture.setFilter(toggled(filter, facet, Number(value)))}
    />
  );
}

function CommandButtons({ picture, hasSession, selectedCount, commands }: ToolbarProps) {
  const isNothing = selectedCount === 0;
  return (
    <div class="sg-commands">
      <IconButton
        title={text.openAll}
        path="m3 3 4 4 4-4M3 8l4 4 4-4"
        onPress={() => picture.openAll(true)}
      />
      <IconButton
        title={text.closeAll}
        path="m3 6 4-4 4 4M3 12l4-4 4 4"
        onPress={() => picture.openAll(false)}
      />
      {hasSession && (
        <IconButton
          title={text.refresh}
          path="M12 7a5 5 0 1 1-1.6-3.7M12 1.5V4H9.5"
          onPress={commands.refresh}
        />
      )}
      <Menu
        words={exportText.menu}
        title={exportText.menu}
        items={[
          { key: "markdown copied", words: exportText.copyMarkdown, isDisabled: isNothing },
          { key: "jsonl copied", words: exportText.copyJson, isDisabled: isNothing },
          { key: "markdown selected", words: exportText.selectedMarkdown, isDisabled: isNothing },
          { key: "jsonl selected", words: exportText.selectedJson, isDisabled: isNothing },
          { key: "markdown all", words: exportText.allMarkdown },
          { key: "jsonl all", words: exportText.allJson },
        ]}
        onPick={(key) => {
          const [format, what] = String(key).split(" ") as [Format, Scope | "copied"];
          if (what === "copied") commands.copySelection(format);
          else commands.save(format, what);
        }}
      />
    </div>
  );
}

interface IconButtonProps {
  title: string;
  path: string;
  isDisabled?: boolean;
  onPress(): void;
}

export function IconButton({ title, path, isDisabled = false, onPress }: IconButtonProps) {
  return (
    <button
      type="button"
      class="sg-button sg-icon-button"
      title={title}
      aria-label={title}
      aria-disabled={isDisabled}
      onClick={() => !isDisabled && onPress()}
    >
      <svg class="sg-icon" viewBox="0 0 14 14" aria-hidden="true">
        <path d={path} />
      </svg>
    </button>
  );
}

export function clearAll(picture: Picture): void {
  if (isFiltering(picture.filter)) picture.setFilter(NO_FILTER);
  if (picture.hits) picture.setHits("", null);
}
