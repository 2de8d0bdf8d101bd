import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { utcTime } from "../shared/format";
import { Actions } from "./actions";
import { listed, type Order } from "./list";
import type { SessionsTraits } from "./model";
import { Opened, type WidgetManager } from "./opened";
import { text } from "./strings";
import { Table } from "./table";
import { type Acting, type Call, focusRow, useActing } from "./use-sessions";

export interface SessionsProps extends SessionsTraits {
  manager: WidgetManager | undefined;
  call: Call;
  select(id: string): void;
}

/** Rows that are drawn before one asks for more: a browser lays out a table of 1,000 in half a second. */
const ROWS = 200;

/** A user's sessions: a table to search and sort, the selected one's actions, and perhaps one that is opened. */
export function Sessions(props: SessionsProps) {
  const { sessions, total, opened, opened_id, manager, call, select } = props;
  const [query, setQuery] = useState("");
  const [order, setOrder] = useState<Order>({ column: "created_at", descending: true });
  const [limit, setLimit] = useState(ROWS);
  const root = useRef<HTMLElement>(null);
  const now = useNow();

  const rows = useMemo(() => listed(sessions, query, order), [sessions, query, order]);
  const at = rows.findIndex((row) => row.session_id === props.selected);
  const drawn = rows.slice(0, Math.max(limit, at + 1));
  const neighbour = () => (rows[at + 1] ?? rows[at - 1])?.session_id ?? "";
  const acting = useActing(call, rows[at], root, neighbour, select);

  const sortBy = (column: Order["column"]) =>
    setOrder({ column, descending: order.column === column ? !order.descending : column !== "name" });

  return (
    <section
      ref={root}
      class="sg-widget sg-sessions"
      aria-label={text.title(props.destination)}
      data-lm-suppress-shortcuts="true"
      onKeyDown={(event) => event.stopPropagation()}
    >
      <div class="sg-sessions-head">
        <input
          type="search"
          class="sg-field"
          aria-label={text.search}
          placeholder={text.searchHint}
          maxLength={200}
          value={query}
          onInput={(event) => setQuery(event.currentTarget.value)}
        />
        <span role="status" class="sg-sessions-count">
          {text.found(rows.length, sessions.length, total)}
        </span>
        <button type="button" class="sg-button" aria-disabled={acting.busy} onClick={acting.refresh}>
          {text.refresh}
        </button>
      </div>
      {rows.length > 0 ? (
        <Table
          {...{ order, now, acting, sortBy, select }}
          rows={drawn}
          more={rows.length - drawn.length}
          selected={props.selected}
          showMore={() => setLimit(Number.POSITIVE_INFINITY)}
        />
      ) : (
        <p class="sg-sessions-empty sg-muted">{sessions.length > 0 ? text.noMatch : text.empty}</p>
      )}
      <Actions session={rows[at]} now={now} acting={acting} />
      <Foot destination={props.destination} listed_at={props.listed_at} acting={acting} />
      {opened && (
        <Opened
          name={sessions.find((one) => one.session_id === opened_id)?.name ?? opened_id}
          reference={opened}
          manager={manager}
          code={acting.code}
          close={acting.closeOpened}
          takeFocus={() => focusRow(root.current)}
        />
      )}
    </section>
  );
}

function Foot({
  destination,
  listed_at,
  acting: { status },
}: {
  destination: string;
  listed_at: string;
  acting: Acting;
}) {
  return (
    <div class="sg-sessions-foot">
      <span class="sg-muted">
        {destination} · <span title={listed_at}>{text.read(utcTime(listed_at))}</span>
      </span>
      <p role="status" class={`sg-sessions-status sg-${status.state}`}>
        {status.words}
      </p>
    </div>
  );
}

/** Unix milliseconds, anew every half minute: what expires soon must not look as if it did not. */
function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
