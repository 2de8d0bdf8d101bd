import { expect, test } from "vitest";
import { emptyIndex, label, merge, readPack } from "../src/visualize/pack";
import { assembled, indexOf, pack, SESSION } from "./packs";

const labels = (index: ReturnType<typeof emptyIndex>) =>
  Array.from({ length: index.nodes }, (_, node) => label(index, node));

test("a pack becomes nodes with labels, names and parents", () => {
  const index = indexOf(SESSION);
  expect(labels(index).slice(0, 3)).toEqual(["1 › Who logged in?", "I read the log", "auth_timeline"]);
  expect([...index.parent]).toEqual([-1, 0, 0, 0, -1, 4, 5]);
  expect([...index.message]).toEqual([0, 1, 2, 3, 4, -1, 5]);
  expect(index.names.actor[index.actor[6] as number]).toBe("network_agent");
});

test("bytes at an odd place are read as well", () => {
  const bytes = pack(SESSION);
  const odd = new Uint8Array(bytes.length + 3);
  odd.set(bytes, 3);
  const view = new DataView(odd.buffer, 3);
  expect(labels(merge(emptyIndex(), readPack(view)))).toEqual(labels(indexOf(SESSION)));
});

test("news replace all nodes from their start on, and keep the numbers of names", () => {
  const before = indexOf(SESSION);
  const bytes = pack(
    [
      {
        label: "2 › And why?",
        actor: "newcomer",
        below: [
          { label: "é 日本", actor: "analyst" },
          { label: "end", actor: "network_agent" },
        ],
      },
    ],
    { start: 4, message: 4 },
  );
  const index = merge(before, readPack(bytes));
  expect(labels(index)).toEqual([...labels(before).slice(0, 4), "2 › And why?", "é 日本", "end"]);
  expect(index.messages).toBe(7);
  expect(index.names.actor).toEqual(["analyst", "tools", "network_agent", "newcomer"]);
  expect([...index.actor].slice(4)).toEqual([3, 0, 2]);
  expect([...index.actor].slice(0, 4)).toEqual([...before.actor].slice(0, 4));
});

const broken: [string, (bytes: Uint8Array) => Uint8Array][] = [
  ["nothing", () => new Uint8Array(0)],
  ["three bytes", (bytes) => bytes.slice(0, 3)],
  ["half of it", (bytes) => bytes.slice(0, bytes.length >> 1)],
  ["no JSON", (bytes) => bytes.fill(7, 4, 40)],
  ["a header that is too long", (bytes) => bytes.fill(255, 0, 4)],
  ["no columns", () => assembled({ seq: 0, start: 0, nodes: 3, messages: 3, names: {} }, [])],
];

test.each(broken)("%s is refused", (_, breakIt) => {
  expect(() => merge(emptyIndex(), readPack(breakIt(pack(SESSION))))).toThrow();
});

test.each([
  ["trees that overlap", "size", 1, 5],
  ["a tree without itself", "size", 1, 0],
  ["a message that is not there", "message", 1, 99],
  ["a label outside of the text", "label", 1, 1e6],
] as const)("%s are refused", (_, name, at, value) => {
  const whole = readPack(pack(SESSION));
  whole.columns[name][at] = value;
  expect(() => {
    merge(emptyIndex(), whole);
    readPack(repacked(whole));
  }).toThrow();
});

/** The pack again, with the columns as they are now. */
function repacked({ header, columns }: ReturnType<typeof readPack>): Uint8Array {
  const parts = header.columns.map(
    ([name, kind, , length]) =>
      [name, kind, columns[name], length] as [string, string, ArrayBufferView, number],
  );
  return assembled(header, parts);
}

test("news that begin after the end are refused", () => {
  expect(() => merge(indexOf(SESSION), readPack(pack(SESSION, { start: 8 })))).toThrow("after the last node");
});
