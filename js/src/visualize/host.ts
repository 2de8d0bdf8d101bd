import { wordsOf } from "../shared/format";
import type { Calls, Detail } from "./model";

/** What the view asks of the kernel, typed. */
export interface Host {
  call<M extends keyof Calls>(
    method: M,
    params: Calls[M][0],
  ): Promise<{ result: Calls[M][1]; buffers: DataView[] }>;
  /** Details that need no kernel, by position. */
  embedded: Record<string, Detail>;
}

/** What went wrong, in one line of bounded length. */
export function words(error: unknown): string {
  const said = wordsOf(error);
  return said.length > 400 ? `${said.slice(0, 400)}…` : said;
}

/** i32 positions as they came, wherever the transport put them. */
export function readPositions(buffer: DataView | undefined): Int32Array {
  if (!buffer) return new Int32Array(0);
  const count = Math.floor(buffer.byteLength / 4);
  return Int32Array.from({ length: count }, (_, n) => buffer.getInt32(4 * n, true));
}
