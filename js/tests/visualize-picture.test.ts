import { beforeEach, expect, test } from "vitest";
import { NO_FILTER, toggled } from "../src/visualize/filter";
import { Kind } from "../src/visualize/model";
import { label, readPack } from "../src/visualize/pack";
import { Picture } from "../src/visualize/picture";
import { type Line, type Place, pack, SESSION } from "./packs";

let picture: Picture;

const apply = (lines: Line[], place?: Place) => picture.apply(readPack(pack(lines, place)));
const shown = () => [...picture.rows.nodes].map((node) => label(picture.index, node));
const selected = () => [...picture.selected.keys()].filter((node) => picture.selected[node]);

beforeEach(() => {
  picture = new Picture(() => {});
  apply(SESSION);
});

test("turns and actors are open at first, and places are counted among siblings", () => {
  expect(shown()).toHaveLength(7);
  expect([...picture.rows.place]).toEqual([1, 1, 2, 3, 2, 1, 1]);
  expect(picture.rows.children[0]).toBe(2);
  expect(picture.rows.children[1]).toBe(3);
  expect(picture.rows.longest).toBe(5);
});

test("of many turns only the last is open", () => {
  picture = new Picture(() => {});
  apply(Array.from({ length: 60 }, (_, n) => ({ label: `turn ${n}`, below: [{ label: `answer ${n}` }] })));
  expect(shown()).toHaveLength(61);
  expect(shown().at(-1)).toBe("answer 59");
});

test("a filter leaves matches and what stands above them, and counts what each choice would give", () => {
  const results = picture.index.names.type.indexOf("result");
  picture.setFilter(toggled(NO_FILTER, "type", results));
  expect(shown()).toEqual([
    "1 › Who logged in?",
    "Two failed",
    "2 › And why?",
    "network_agent",
    "PREAUTH required",
  ]);
  expect(picture.matched.count).toBe(2);
  expect(picture.matched.choices.status.map(({ words, count }) => [words, count])).toEqual([
    ["200", 1],
    ["500", 1],
  ]);
  expect(picture.matched.choices.type.map(({ words, count }) => [words, count])).toEqual([
    ["local tool call", 1],
    ["query", 2],
    ["result", 2],
    ["thinking", 1],
  ]);
});

test("what was open before a filter is open again after it, and a match is never in a closed line", () => {
  picture.setOpen(0, false);
  expect(shown()[1]).toBe("2 › And why?");
  picture.setHits("failed", [3]);
  expect(shown()).toEqual(["1 › Who logged in?", "Two failed"]);
  picture.setHits("", null);
  expect(shown()[1]).toBe("2 › And why?");
});

test("matches follow each other around, in order", () => {
  picture.setHits("x", [1, 5]);
  const steps = [1, 1, 1, -1].map((step) => {
    picture.show(picture.nextMatch(step as 1 | -1));
    return [label(picture.index, picture.active), picture.matchNumber()];
  });
  expect(steps).toEqual([
    ["I read the log", 1],
    ["PREAUTH required", 2],
    ["I read the log", 1],
    ["PREAUTH required", 2],
  ]);
});

test("a selected turn means all of its messages; a filter leaves those out that it hides", () => {
  picture.choose(0, "only");
  expect(picture.selectedMessages()).toEqual([0, 1, 2, 3]);
  picture.setHits("failed", [3]);
  expect(picture.selectedMessages()).toEqual([0, 3]);
  picture.chooseAll();
  expect(picture.selectedMessages()).toEqual([3]);
});

test("Shift chooses a range from where it began, Ctrl one more", () => {
  picture.choose(1, "only");
  picture.choose(3, "range");
  expect(selected()).toEqual([1, 2, 3]);
  picture.choose(2, "range");
  expect(selected()).toEqual([1, 2]);
  picture.choose(6, "toggle");
  expect(selected()).toEqual([1, 2, 6]);
  picture.choose(4, "look");
  expect(selected()).toEqual([1, 2, 6]);
  expect(picture.active).toBe(4);
});

test("what Python selects is opened and looked at, and is not what the person chose", () => {
  picture.openAll(false);
  picture.selectMessages([5, 1]);
  expect(selected()).toEqual([1, 6]);
  expect(picture.active).toBe(1);
  expect(shown()).toContain("PREAUTH required");
  expect(picture.chosen).toBe(0);
});

test("closing a line takes the keyboard with it", () => {
  picture.choose(6, "only");
  picture.setOpen(4, false);
  expect(picture.active).toBe(4);
  expect(picture.activeRow).toBe(4);
});

test("a line that a filter hides is shown by giving the filter up", () => {
  picture.setHits("failed", [3]);
  picture.show(6);
  expect(picture.isFiltering).toBe(false);
  expect(picture.activeRow).toBe(6);
});

test("news keep what is open, selected and looked at, in the turn that they are about too", () => {
  picture.setOpen(0, false);
  picture.choose(picture.activeRow + 3, "only"); // the actor's message
  const last = SESSION[1] as Line;
  const agent = last.below?.[0] as Line;
  apply(
    [
      {
        ...last,
        below: [
          {
            label: "first",
            hasMessage: false,
            kind: Kind.group,
            below: [{ label: "new before", kind: Kind.tool }],
          },
          agent,
          { label: "answer", type: "result" },
        ],
      },
    ],
    { start: 4, message: 4 },
  );
  expect(shown()[1]).toBe("2 › And why?");
  expect(picture.isOpen(0)).toBe(false);
  expect(picture.index.messages).toBe(8);
  expect(shown()).toContain("answer");
});

test("a line whose number moved is found again by its message", () => {
  picture.choose(6, "only");
  const last = SESSION[1] as Line;
  apply(
    [{ ...last, below: [{ label: "calls", hasMessage: false, kind: Kind.group, below: last.below ?? [] }] }],
    {
      start: 4,
      message: 4,
    },
  );
  expect(label(picture.index, picture.active)).toBe("PREAUTH required");
  expect(selected()).toEqual([7]);
});

test("a large session is typed arrays from end to end", () => {
  picture = new Picture(() => {});
  const turns = Array.from({ length: 10 }, (_, turn) => ({
    label: `turn ${turn}`,
    below: Array.from({ length: 999 }, (_, n) => ({ label: `${turn}.${n}` })),
  }));
  apply(turns);
  expect(picture.rows.nodes).toHaveLength(10_000);
  expect(picture.rows.nodes).toBeInstanceOf(Int32Array);
  picture.setHits("x", [9_999]);
  expect(shown()).toEqual(["turn 9", "9.998"]);
});

test("thousands of levels are no trouble", () => {
  let deep: Line = { label: "deepest" };
  for (let level = 0; level < 3000; level++) deep = { label: `${level}`, below: [deep] };
  picture = new Picture(() => {});
  apply([deep]);
  picture.openAll(true);
  expect(picture.rows.nodes).toHaveLength(3001);
  picture.setHits("deepest", [3000]);
  expect(picture.rows.nodes).toHaveLength(3001);
  picture.openAll(false);
  expect(picture.rows.nodes).toHaveLength(1);
});

test("the quick choice by tone counts what a tool call tells to the call", () => {
  picture = new Picture(() => {});
  apply([
    {
      label: "1",
      below: [
        {
          label: "call",
          kind: Kind.tool,
          type: "debug",
          below: [{ label: "progress" }, { label: "found", type: "result" }],
        },
        { label: "broken", type: "result", flags: 4 },
        { label: "note" },
      ],
    },
  ]);
  const count = Object.fromEntries(picture.matched.choices.tone.map(({ words, count }) => [words, count]));
  expect(count).toEqual({ prompt: 1, tool: 2, result: 1, error: 1, info: 1 });
  picture.setFilter(toggled(toggled(NO_FILTER, "tone", 3), "tone", 5));
  expect(shown()).toEqual(["1", "call", "progress", "broken"]);
});
