import { expect, test } from "vitest";
import { filesOf } from "../src/shared/uploads";

const item = (kind: string, file: File | null, entry?: { isDirectory: boolean; name: string } | null) => ({
  kind,
  getAsFile: () => file,
  ...(entry === undefined ? {} : { webkitGetAsEntry: () => entry }),
});

test("of what is dropped, files and folders are told apart, and text is neither", () => {
  const [log, scripted] = [new File(["x"], "a.log"), new File(["x"], "made by a script")];
  const items = [
    item("file", log, { isDirectory: false, name: "a.log" }),
    item("file", new File([], "evidence"), { isDirectory: true, name: "evidence" }),
    item("string", null),
    item("file", scripted, null),
    item("file", null),
    item("file", log), // a browser without entries
  ];
  const found = filesOf({ items } as unknown as DataTransfer);
  expect(found.files).toEqual([log, scripted, log]);
  expect(found.folders).toEqual(["evidence"]);
  expect(filesOf(null)).toEqual({ files: [], folders: [] });
});
