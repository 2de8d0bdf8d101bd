import { useEffect, useState } from "preact/hooks";

/** A value that changes often and concerns little of the view: who uses it is drawn anew, and nobody else. */
export class Cell<T> {
  private readonly watchers = new Set<(value: T) => void>();

  constructor(public value: T) {}

  set = (value: T): void => {
    this.value = value;
    for (const watcher of this.watchers) watcher(value);
  };

  watch(watcher: (value: T) => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }
}

export function useCell<T>(cell: Cell<T>): T {
  const [value, setValue] = useState(cell.value);
  useEffect(() => cell.watch(setValue), [cell]);
  return value;
}
