export interface Tick {
  time: number;
  words: string;
}

const DAY = 86_400;
const STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
  10_800, 21_600, 43_200, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY, 1825 * DAY, 3650 * DAY, 36_500 * DAY,
]; // biome-ignore format: a list

/** Round times between two Unix times, about `wanted` of them, in words: UTC. */
export function ticks(from: number, to: number, wanted: number): Tick[] {
  if (!(to >= from)) return [];
  if (to === from) return [{ time: from, words: timeWords(from, 1) }];
  const step = STEPS.find((each) => (to - from) / each <= wanted) ?? to - from;
  const found: Tick[] = [];
  const first = Math.ceil(from / step);
  for (let n = first; n * step <= to && n <= first + wanted; n++)
    found.push({ time: n * step, words: timeWords(n * step, step) });
  return found;
}

/** As much of a time as a step of so many seconds needs. */
export function timeWords(seconds: number, step: number): string {
  const date = new Date(Math.round(seconds * 1000));
  if (Number.isNaN(date.getTime())) return String(seconds);
  const iso = date.toISOString();
  const day = iso.slice(0, iso.indexOf("T"));
  const clock = iso.slice(iso.indexOf("T") + 1);
  if (step >= DAY) return day;
  if (step >= 3600) return `${day.slice(-5)} ${clock.slice(0, 5)}`;
  if (step >= 1) return clock.slice(0, step >= 60 ? 5 : 8);
  return clock.slice(0, step >= 0.1 ? 10 : step >= 0.01 ? 11 : 12);
}
