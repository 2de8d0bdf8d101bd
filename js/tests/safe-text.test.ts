import { expect, test } from "vitest";
import { safeName } from "../src/shared/safe-text";

// `tests/widgets/test_attach.py` holds the same pairs against `render/text.py`.
export const NAMES: [string, string][] = [
  ["auth log ü.txt", "auth log ü.txt"],
  ["a\u202egpj.exe", "a⟨U+202E⟩gpj.exe"],
  ["a\u200bb", "a⟨U+200B⟩b"],
  ["\x1b[2J.log", "␛[2J.log"],
  ["a\u00adb\u2066c", "a⟨U+00AD⟩b⟨U+2066⟩c"],
  ["\u{e0041}.log", "⟨U+E0041⟩.log"],
  ["\ud83d.log", "\ufffd.log"],
  ["👩‍💻❤️.png", "👩‍💻❤️.png"],
  ["می‌خواهم", "می‌خواهم"],
  ["a\u200d.log", "a⟨U+200D⟩.log"],
  [`Z${"\u0301".repeat(20)}`, `Z${"\u0301".repeat(4)}`],
];

test.each(NAMES)("%j is shown as %j", (name, shown) => {
  expect(safeName(name)).toBe(shown);
});
