// As `render/text.py` does it: what acts on a reader's eye, or hides from it, is shown and not dropped. Variation
// selectors and joiners within a word or an emoji stay.
const UNSAFE =
  /(?![\ufe00-\ufe0f]|(?<=\P{ASCII})[\u200c\u200d]\P{ASCII})[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const MARKS = /(\p{Mn}{4})\p{Mn}+/gu;

/** A name from this user's disk on one line: controls as pictures, invisible characters as `⟨U+202E⟩`. */
export function safeName(name: string): string {
  return name.slice(0, 2000).replace(UNSAFE, visible).replace(MARKS, "$1").trim();
}

function visible(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  if (code >= 0xd800 && code <= 0xdfff) return "\ufffd";
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
