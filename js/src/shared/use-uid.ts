import { useState } from "preact/hooks";

/**
 * An id for an element. Not Preact's `useId`: it counts anew in every view, and a page holds many widgets; in nested
 * fragments it gave the same id twice.
 */
export function useUid(): string {
  return useState(uid)[0];
}

function uid(): string {
  const [a = 0, b = 0] = crypto.getRandomValues(new Uint32Array(2));
  return `sg-${a.toString(36)}${b.toString(36)}`;
}
