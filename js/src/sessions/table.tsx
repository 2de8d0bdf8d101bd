import { Component } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Column, expiry, fullTime, type Order, shortTime } from "./list";
import { type Listed, NAME_LIMIT } from "./model";
import { text } from "./strings";
import type { Acting } from "./use-sessions";

interface TableProps {
  rows: Listed[];
  /** How many there are that are not among `rows`. */
  more: number;
  showMore(): void;
  selected: string;
  order: Order;
  now: number;
  acting: Acting;
  sortBy(column: Column): void;
  select(id: string): void;
}

const COLUMNS = Object.keys(text.columns) as Column[];

/** Rows that Page Up and Page Down move by. */
const PAGE = 10;

/** The sessions as a grid: Tab leads to its headers and to one row, arrows lead from row to row and select. */
export function Table(props: TableProps) {
  const { rows, more, selected, order, now, acting, sortBy, select } = props;
  const body = useRef<HTMLTableSectionElement>(null);
  const firstNew = useRef<number | null>(null);
  useLayoutEffect(() => {
    const row = firstNew.current === null ? null : body.current?.children[firstNew.current];
    firstNew.current = null;
    if (row instanceof HTMLElement) row.focus(); // the button that had the focus is gone
  }, [rows.length]);
  const at = rows.findIndex((row) => row.session_id === selected);

  function go(index: number) {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (!row) return;
    select(row.session_id);
    (body.current?.children[rows.indexOf(row)] as HTMLElement | undefined)?.focus();
  }

  const keys: Record<string, () => void> = {
    ArrowDown: () => go(at + 1),
    ArrowUp: () => go(at < 0 ? 0 : at - 1),
    Home: () => go(0),
    End: () => go(rows.length - 1),
    PageDown: () => go(at + PAGE),
    PageUp: () => go(at - PAGE),
    " ": () => go(at),
    Enter: () => (at < 0 ? go(0) : acting.open()),
    F2: () => acting.ask("rename", "row"),
    Delete: () => acting.ask("delete", "row"),
  };

  function showMore() {
    firstNew.current = rows.length;
    props.showMore();
  }

  function onKey(event: KeyboardEvent) {
    const run = keys[event.key];
    const onRow = event.target instanceof HTMLTableRowElement;
    if (!run || !onRow || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    run();
  }

  return (
    <div class="sg-sessions-scroll">
      <table
        class="sg-sessions-table"
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table is what WAI-ARIA makes grids of
        role="grid"
        aria-label={text.grid}
        aria-rowcount={rows.length + more + 1}
        onKeyDown={onKey}
      >
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <Header key={column} column={column} order={order} sortBy={sortBy} />
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {rows.map((row, index) => (
            <Row
              key={row.session_id}
              row={row}
              index={index}
              now={now}
              selected={index === at}
              tabStop={index === Math.max(at, 0)}
              renaming={index === at && acting.form === "rename"}
              select={select}
              acting={acting}
            />
          ))}
        </tbody>
      </table>
      {more > 0 && (
        <button type="button" class="sg-button sg-sessions-more" onClick={showMore}>
          {text.more(more)}
        </button>
      )}
    </div>
  );
}

interface HeaderProps {
  column: Column;
  order: Order;
  sortBy(column: Column): void;
}

function Header({ column, order, sortBy }: HeaderProps) {
  const sorted = order.column === column;
  const direction = order.descending ? "descending" : "ascending";
  return (
    <th scope="col" class={`sg-col-${column}`} aria-sort={sorted ? direction : "none"}>
      <button type="button" onClick={() => sortBy(column)}>
        {text.columns[column]}
        <span aria-hidden="true">{sorted ? (order.descending ? " ↓" : " ↑") : ""}</span>
      </button>
    </th>
  );
}

interface RowProps {
  row: Listed;
  index: number;
  now: number;
  selected: boolean;
  tabStop: boolean;
  renaming: boolean;
  acting: Acting;
  select(id: string): void;
}

/** One session. A list may have 1,000 of them: one that has not changed is not drawn again. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const drawn = ["row", "index", "now", "selected", "tabStop", "renaming"] as const;
    return next.selected || drawn.some((name) => next[name] !== this.props[name]);
  }

  override render({ row, index, now, selected, tabStop, renaming, acting, select }: RowProps) {
    const ends = expiry(row.expires_at, now);
    const when = fullTime(row.expires_at);
    return (
      <tr
        tabIndex={tabStop ? 0 : -1}
        aria-rowindex={index + 2}
        aria-selected={selected}
        class={selected ? "sg-selected" : ""}
        onClick={(event) => {
          select(row.session_id);
          if (!(event.target instanceof HTMLInputElement)) event.currentTarget.focus();
        }}
        onDblClick={() => acting.open()}
      >
        <th scope="row" class="sg-col-name" title={renaming ? undefined : row.name}>
          {renaming ? (
            <NameField row={row} acting={acting} />
          ) : (
            <div class="sg-sessions-name">
              <span>{row.name}</span>
              {row.current && <b class="sg-sessions-current">{text.current}</b>}
            </div>
          )}
        </th>
        <td class="sg-col-turns">{row.turns.toLocaleString("en")}</td>
        <td class="sg-col-files">{row.files.toLocaleString("en")}</td>
        <td class="sg-col-created_at" title={fullTime(row.created_at)}>
          {shortTime(row.created_at, now)}
        </td>
        <td
          class={`sg-col-expires_at ${ends.soon ? "sg-soon" : ""}`}
          title={when ? text.expiryWhy(when) : text.unknownExpiryWhy}
        >
          {ends.words}
        </td>
        <td class="sg-col-retained">{row.retained ? text.yes : text.no}</td>
      </tr>
    );
  }
}

function NameField({ row, acting }: { row: Listed; acting: Acting }) {
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);

  function save() {
    const name = field.current?.value.trim() ?? "";
    if (!name) acting.say("failed", text.emptyName);
    else if (name === row.name) acting.leave();
    else acting.rename(name);
  }

  function onKey(event: KeyboardEvent) {
    if (event.key === "Enter" && !event.isComposing) save();
    else if (event.key === "Escape") acting.leave();
  }

  return (
    <input
      ref={field}
      class="sg-field sg-sessions-rename"
      aria-label={text.newName(row.name)}
      maxLength={NAME_LIMIT}
      defaultValue={row.name}
      onKeyDown={onKey}
      onDblClick={(event) => event.stopPropagation()}
    />
  );
}
