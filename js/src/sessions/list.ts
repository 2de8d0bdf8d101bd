import { utc } from "../shared/format";
import type { Listed } from "./model";
import { text } from "./strings";

export type Column = keyof typeof text.columns;

export interface Order {
  column: Column;
  descending: boolean;
}

/** The sessions that hold `query` in name, description or id, in this order. */
export function listed(sessions: Listed[], query: string, order: Order): Listed[] {
  const wanted = plain(query.trim());
  const found = wanted
    ? sessions.filter((one) => plain(`${one.name}\n${one.description}\n${one.session_id}`).includes(wanted))
    : [...sessions];
  const sign = order.descending ? -1 : 1;
  return found.sort((a, b) => sign * compare(a, b, order.column));
}

/** Without case, and with indicators as they are typed: `evil[.]example` is found by `evil.example`. */
function plain(words: string): string {
  return words
    .toLowerCase()
    .replaceAll("[.]", ".")
    .replaceAll("[:]", ":")
    .replaceAll("[at]", "@")
    .replaceAll("hxxp", "http");
}

function compare(a: Listed, b: Listed, column: Column): number {
  const [left, right] = [a[column], b[column]];
  if (typeof left === "string" && typeof right === "string")
    return left.localeCompare(right, "en", { numeric: true });
  return Number(left) - Number(right);
}

/** Seconds from `now` (Unix milliseconds) until an ISO time; NaN where it is not known. */
export function secondsUntil(iso: string, now: number): number {
  return (Date.parse(iso) - now) / 1000;
}

const HOUR = 3600;

/** When a session ends, as one reads it: `in 23 h`, and in words when that is soon. */
export function expiry(iso: string, now: number): { words: string; soon: boolean } {
  const seconds = secondsUntil(iso, now);
  if (Number.isNaN(seconds)) return { words: text.unknownExpiry, soon: false };
  if (seconds <= 0) return { words: text.expired, soon: true };
  if (seconds < HOUR)
    return { words: text.soon(`in ${Math.max(1, Math.round(seconds / 60))} min`), soon: true };
  if (seconds < 48 * HOUR) return { words: `in ${Math.round(seconds / HOUR)} h`, soon: false };
  return { words: `in ${Math.round(seconds / (24 * HOUR)).toLocaleString("en")} days`, soon: false };
}

/** `2026-01-31 21:41:07 UTC`. */
export function fullTime(iso: string): string {
  const seconds = Date.parse(iso) / 1000;
  return Number.isNaN(seconds) ? "" : utc(seconds);
}

/** `31 Jan 21:41`, and `31 Jan 2025` in another year. UTC. */
export function shortTime(iso: string, now: number): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "";
  const day = time.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const sameYear = time.getUTCFullYear() === new Date(now).getUTCFullYear();
  return sameYear ? `${day} ${time.toISOString().slice(11, 16)}` : `${day} ${time.getUTCFullYear()}`;
}
