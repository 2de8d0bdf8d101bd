import { useMemo, useState } from "preact/hooks";
import type { TablePart } from "./model";
import { detailText as text } from "./strings";

/** Rows at first, and how many more a press shows. */
const SHOWN = 100;

interface Sorting {
  column: number;
  isDescending: boolean;
}

/** A table that its headers sort. What is copied comes from the kernel: exact, while what is shown is defanged. */
export function TableView({ part, onCopy }: { part: TablePart; onCopy?: () => void }) {
  const [sorting, setSorting] = useState<Sorting>();
  const [limit, setLimit] = useState(SHOWN);
  const rows = useMemo(() => sorted(part, sorting), [part, sorting]);
  const [spoken, speak] = useState("");

  function sortBy(column: number) {
    const isDescending = sorting?.column === column && !sorting.isDescending;
    setSorting({ column, isDescending });
    speak(text.sortedBy(part.columns[column] ?? "", isDescending ? "descending" : "ascending"));
  }

  return (
    <figure class="sg-table">
      <figcaption>
        <bdi>{part.title}</bdi>
        <span class="sg-muted">
          {(part.rows.length + part.more).toLocaleString("en")} × {part.columns.length}
        </span>
        {onCopy && (
          <button type="button" class="sg-button" onClick={onCopy}>
            {text.copyTable}
          </button>
        )}
      </figcaption>
      {/* biome-ignore lint/a11y/useSemanticElements: a section would be a landmark, and two tables may have one title */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must be able to */}
      <div role="group" class="sg-table-scroll" tabIndex={0} aria-label={part.title || text.asTable}>
        <table>
          <thead>
            <tr>
              {part.columns.map((column, number) => (
                <th
                  key={number}
                  scope="col"
                  class={part.numeric[number] ? "sg-number" : ""}
                  aria-sort={
                    sorting?.column !== number ? undefined : sorting.isDescending ? "descending" : "ascending"
                  }
                >
                  <button type="button" onClick={() => sortBy(number)}>
                    <bdi>{column}</bdi>
                    <span aria-hidden="true">
                      {sorting?.column !== number ? "" : sorting.isDescending ? "▾" : "▴"}
                    </span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, limit).map((row, number) => (
              <tr key={number}>
                {part.columns.map((_, column) => (
                  <td key={column} class={part.numeric[column] ? "sg-number" : ""} title={long(row[column])}>
                    <bdi>{row[column] ?? ""}</bdi>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > limit && (
        <button type="button" class="sg-button" onClick={() => setLimit(limit * 4)}>
          {text.moreRows(Math.min(rows.length, limit * 4) - limit)}
        </button>
      )}
      {part.more > 0 && <p class="sg-muted">{text.rest(part.more)}</p>}
      <span class="sg-hidden" role="status">
        {spoken}
      </span>
    </figure>
  );
}

const long = (cell: string | undefined) => (cell && cell.length > 40 ? cell : undefined);

function sorted({ rows, numeric }: TablePart, sorting: Sorting | undefined): string[][] {
  if (!sorting) return rows;
  const { column, isDescending } = sorting;
  const way = isDescending ? -1 : 1;
  const compare = numeric[column]
    ? (a: string, b: string) => asNumber(a) - asNumber(b)
    : new Intl.Collator("en", { numeric: true }).compare;
  // What is empty, or no number in a column of numbers, stands last either way.
  const isLast = (cell: string) => (numeric[column] ? Number.isNaN(asNumber(cell)) : cell === "");
  return rows.toSorted((left, right) => {
    const [a, b] = [left[column] ?? "", right[column] ?? ""];
    if (isLast(a) || isLast(b)) return Number(isLast(a)) - Number(isLast(b));
    return way * compare(a, b);
  });
}

function asNumber(cell: string): number {
  const plain = cell.replaceAll(",", "").trim();
  return plain === "" ? Number.NaN : Number(plain);
}
