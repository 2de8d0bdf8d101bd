import { useEffect, useRef, useState } from "preact/hooks";
import type { Picture } from "./picture";

/** The selection is told when nobody moves any more; milliseconds. */
const REST = 120;

export interface Selection {
  /** Positions of the selected messages, as Python has them or is about to. */
  messages: number[];
  /** Tells Python now: something is about to use it. */
  flush(): void;
}

/** The selection goes to Python when it rests, and comes from there. */
export function useSelection(
  picture: Picture,
  selected: number[],
  onSelect: (positions: number[]) => void,
): Selection {
  const told = useRef<number[]>([]);
  const timer = useRef(0);
  // Whether the lines follow from what a person chose: then a turn that grows is selected with what it gets.
  const grows = useRef(false);
  const [messages, setMessages] = useState<number[]>([]);

  function tell() {
    clearTimeout(timer.current);
    timer.current = 0;
    const positions = picture.selectedMessages();
    if (isSame(positions, told.current)) return;
    told.current = positions;
    setMessages(positions);
    onSelect(positions);
  }

  useEffect(() => {
    if (picture.index.nodes === 0 || isSame(selected, told.current)) return;
    told.current = selected;
    grows.current = false;
    clearTimeout(timer.current);
    timer.current = 0;
    setMessages(selected);
    picture.selectMessages(selected);
  }, [selected, picture.index.nodes > 0]);

  useEffect(() => {
    if (picture.chosen === 0) return;
    grows.current = !picture.isFiltering;
    clearTimeout(timer.current);
    timer.current = window.setTimeout(tell, REST);
  }, [picture.chosen]);

  useEffect(() => {
    if (!grows.current || timer.current) return;
    timer.current = window.setTimeout(tell, REST);
  }, [picture.index]);

  useEffect(() => () => clearTimeout(timer.current), []);

  return { messages, flush: () => timer.current && tell() };
}

const isSame = (a: number[], b: number[]) => a.length === b.length && a.every((each, n) => each === b[n]);
