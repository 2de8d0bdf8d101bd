import { expect, test } from "vitest";
import { safeName } from "../src/shared/safe-text";
import NAMES from "./safe-names.json"; // `tests/widgets/test_attach.py` holds them against `render/text.py`

test.each(NAMES as [string, string][])("%j is shown as %j", (name, shown) => {
  expect(safeName(name)).toBe(shown);
});

test("half a character is shown as a replacement", () => {
  expect(safeName("\ud83d.log")).toBe("\ufffd.log");
});
