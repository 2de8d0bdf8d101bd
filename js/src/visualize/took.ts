import { duration } from "../shared/format";

/** How long something took; nothing where that is not known. */
export function took(seconds: number): string {
  return seconds === 0 ? "" : duration(seconds);
}
