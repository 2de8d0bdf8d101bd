import { expect, test } from "vitest";
import { ticks } from "../src/visualize/ticks";
import { took } from "../src/visualize/took";
import { queryPattern } from "../src/visualize/tree-row";

test.each([
  ["every sign that means something in a pattern", "\\^$.*+?()[]{}|/-"],
  ["letters beyond ASCII", "ÄÖß日本"],
  ["half an emoji", "\ud83d"],
])("%s are found as they stand", (_, words) => {
  expect(`before ${words} after`.split(queryPattern(words) as RegExp)[1]).toBe(words);
});

test("words are found without regard to case", () => {
  expect("The PREAUTH failed".split(queryPattern("preauth") as RegExp)).toEqual([
    "The ",
    "PREAUTH",
    " failed",
  ]);
});

test("an axis has round times, each with as much as tells it from the next", () => {
  const words = (from: number, to: number, wanted: number) =>
    ticks(from, to, wanted).map((tick) => tick.words);
  expect(words(1_769_895_667, 1_769_895_727, 4)).toEqual(["21:41:15", "21:41:30", "21:41:45", "21:42:00"]);
  expect(words(1_769_895_667, 1_769_895_667.3, 6)).toEqual([
    "21:41:07.00",
    "21:41:07.05",
    "21:41:07.10",
    "21:41:07.15",
    "21:41:07.20",
    "21:41:07.25",
  ]);
  expect(words(0, 3 * 86_400, 3)).toEqual(["1970-01-01", "1970-01-02", "1970-01-03", "1970-01-04"]);
  expect(words(Number.NaN, 1, 3)).toEqual([]);
  expect(words(1e15, 1e15 + 5e9, 2).length).toBeLessThanOrEqual(3);
});

test("what took less than a tenth of a second is told in milliseconds, and no time not at all", () => {
  expect([0, 0.0004, 0.012, 0.3, 75, Number.NaN].map(took)).toEqual([
    "",
    "1 ms",
    "12 ms",
    "0.3 s",
    "1 min 15 s",
    "",
  ]);
});
