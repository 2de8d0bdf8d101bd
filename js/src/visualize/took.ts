import { duration } from "../shared/format";

/** How long something took; what is too short for tenths of a second, in milliseconds. */
export function took(seconds: number): string {
  if (seconds === 0) return "";
  return seconds > 0 && seconds < 0.0995
    ? `${Math.max(1, Math.round(seconds * 1000))} ms`
    : duration(seconds);
}
