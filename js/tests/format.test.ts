import { expect, test } from "vitest";
import { count, duration, middle, size, utc } from "../src/shared/format";

test("sizes count in thousands", () => {
  expect([0, 999, 1000, 6144, 84_000_000, 100_000_000, 2e9].map(size)).toEqual([
    "0 B", "999 B", "1.0 kB", "6.1 kB", "84.0 MB", "100 MB", "2.0 GB",
  ]); // biome-ignore format: one line a list
});

test("durations are short, and nonsense is nothing", () => {
  expect([0, 0.04, 0.26, 48.2, 125, Number.NaN, -1].map(duration)).toEqual([
    "0.0 s",
    "40 ms",
    "0.3 s",
    "48 s",
    "2 min 05 s",
    "",
    "",
  ]);
});

test("counts have their noun", () => {
  expect([count(1, "row"), count(2000, "row"), count(2, "entry", "entries")]).toEqual([
    "1 row",
    "2,000 rows",
    "2 entries",
  ]);
});

test("the middle of a long text goes, whole characters stay", () => {
  expect(middle("0123456789", 10)).toBe("0123456789");
  expect(middle("0123456789", 5)).toBe("01…89");
  expect(middle("😀😀😀😀😀", 3)).toBe("😀…😀");
  expect(middle(`a${"😀".repeat(1000)}b`, 5)).toBe("a😀…😀b");
});

test("times are UTC, and one outside the calendar stays a number", () => {
  expect(utc(1_769_850_307.9)).toBe("2026-01-31 09:05:07 UTC");
  expect(utc(1e300)).toBe("1e+300");
});
