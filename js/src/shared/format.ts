/** Values for people, as `render/text.py` writes them. */

/** `6.1 kB`: thousands, as file managers count. */
export function size(bytes: number): string {
  let amount = bytes;
  for (const unit of ["B", "kB", "MB"]) {
    if (amount < 1000)
      return `${unit === "B" || amount >= 100 ? amount.toFixed(0) : amount.toFixed(1)} ${unit}`;
    amount /= 1000;
  }
  return `${amount.toFixed(1)} GB`;
}

/** Seconds as `40 ms`, `0.3 s`, `48 s`, `2 min 05 s`; nonsense is nothing. */
export function duration(seconds: number): string {
  if (!(seconds >= 0 && seconds < 1e7)) return "";
  if (seconds > 0 && seconds < 0.0995) return `${Math.max(seconds * 1000, 1).toFixed(0)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** `1 row`, `2,000 rows`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** A hash or a long name shortened in the middle: its ends tell it apart. */
export function middle(text: string, limit: number): string {
  // Of a very long text only its ends are taken apart: two units are one character at most.
  const ends = text.length > 8 * limit ? text.slice(0, 2 * limit) + text.slice(-2 * limit) : text;
  const chars = [...ends];
  if (chars.length <= limit) return text;
  const tail = Math.floor((limit - 1) / 2);
  return `${chars.slice(0, limit - 1 - tail).join("")}…${chars.slice(chars.length - tail).join("")}`;
}

/** Unix seconds as `2026-01-31 09:05:07 UTC`; one outside the calendar stays a number. */
export function utc(seconds: number): string {
  const time = new Date(seconds * 1000);
  return Number.isNaN(time.getTime())
    ? String(seconds)
    : `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** An ISO time as UTC, short: hours, minutes, seconds. The full one belongs in a `title`. */
export function utcTime(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : `${time.toISOString().slice(11, 19)} UTC`;
}

/** What was thrown, in words. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
