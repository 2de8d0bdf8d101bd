import { expect, test } from "vitest";
import { Kind } from "../src/visualize/model";
import { nearest, pixels } from "../src/visualize/overview-draw";
import { inTime, lanesOf, timeScale } from "../src/visualize/overview-scale";
import { indexOf, type Line, SESSION } from "./packs";

const others = (count: number) => `${count} others`;

function drawing(lines: Line[], width = 600) {
  const index = indexOf(lines);
  const order = inTime(index);
  return {
    index,
    order,
    lanes: lanesOf(index, order, "tools", others),
    scale: timeScale(index, order, width),
    matching: null,
  };
}

test("nodes stand in order of time, those without one are left out", () => {
  const { index, order } = drawing([
    { label: "late", time: 9 },
    { label: "unknown" },
    { label: "early", time: 3, below: [{ label: "middle", time: 5 }] },
  ]);
  expect([...order].map((node) => index.time[node])).toEqual([3, 5, 9]);
});

test("a long idle time is shortened, and time goes on to both sides of it", () => {
  const { scale } = drawing(SESSION);
  expect(scale.gaps).toHaveLength(1);
  expect(scale.gaps[0]?.seconds).toBe(96);
  expect(scale.gaps[0]?.width).toBeLessThanOrEqual(16);
  const places = [100, 101, 104, 200, 201].map((time) => scale.x(time));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places[0]).toBeGreaterThanOrEqual(0);
  expect(places.at(-1)).toBeLessThanOrEqual(600);
  expect((places[2] as number) - (places[0] as number)).toBeGreaterThan(300);
});

test("a steady rhythm is not shortened, a single moment has a place", () => {
  expect(drawing(Array.from({ length: 100 }, (_, n) => ({ label: "", time: 60 * n }))).scale.gaps).toEqual(
    [],
  );
  const one = drawing([{ label: "", time: 7 }]);
  expect(one.scale.x(7)).toBeCloseTo(300);
});

test("each actor has a lane until there are many, tool calls have one of their own", () => {
  expect(drawing(SESSION).lanes.names).toEqual(["analyst", "network_agent", "tools"]);
  const crowd = Array.from({ length: 9 }, (_, n) => ({ label: "", actor: `agent ${n}`, time: n }));
  const { lanes, order } = drawing([...crowd, { label: "", kind: Kind.tool, time: 10 }]);
  expect(lanes.names).toEqual(["agent 0", "agent 1", "agent 2", "agent 3", "5 others", "tools"]);
  expect([...order].map(lanes.of)).toEqual([0, 1, 2, 3, 4, 4, 4, 4, 4, 5]);
});

test("an error is seen wherever it shares a pixel, and what does not match is faint", () => {
  const lines = Array.from({ length: 1000 }, (_, n) => ({
    label: "",
    kind: Kind.message,
    time: n / 1000,
    type: n === 500 ? "error" : "info",
  }));
  const shown = drawing(lines, 100);
  const all = pixels(shown, 100, 1);
  expect(all.bright[0]?.includes(6)).toBe(true);
  const matching = new Uint8Array(1000);
  matching[500] = 1;
  const some = pixels({ ...shown, matching }, 100, 1);
  expect(some.bright[0]?.filter((value) => value > 0).length).toBe(4);
  expect(some.faint[0]?.filter((value) => value > 0).length).toBeGreaterThan(90);
});

test("a place leads to the node that is drawn there", () => {
  const shown = drawing(SESSION);
  for (const node of shown.order) {
    const x = shown.scale.x(shown.index.time[node] as number) + 1;
    expect(nearest(shown, x, shown.lanes.of(node))).toBe(node);
  }
});
