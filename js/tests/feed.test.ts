import { beforeEach, expect, test } from "vitest";
import { listen } from "../src/shared/feed";
import type { Channel } from "../src/shared/rpc";
import { FakeModel } from "./fake-model";

let model: FakeModel<object>;
let heard: number[];
let resyncs: number;

const start = () =>
  listen(
    model as unknown as Channel,
    (event) => heard.push(event.seq),
    () => resyncs++,
  );
const send = (...numbers: number[]) => {
  for (const seq of numbers) model.emit("msg:custom", { kind: "secgemini-event", seq }, []);
};

beforeEach(() => {
  model = new FakeModel({});
  heard = [];
  resyncs = 0;
});

test("events come in order, each once", () => {
  start().caughtUp(0);
  send(1, 2, 2, 1, 3);
  expect(heard).toEqual([1, 2, 3]);
  expect(resyncs).toBe(0);
});

test("a missed event asks for everything once, and what came meanwhile is not lost", () => {
  const feed = start();
  feed.caughtUp(0);
  send(1, 3, 4);
  expect(heard).toEqual([1]);
  expect(resyncs).toBe(1);
  feed.caughtUp(3);
  expect(heard).toEqual([1, 4]);
  send(5);
  expect(heard).toEqual([1, 4, 5]);
});

test("a copy that is still too old is asked for again", () => {
  const feed = start();
  feed.caughtUp(0);
  send(5);
  feed.caughtUp(2);
  expect(resyncs).toBe(2);
  feed.caughtUp(5);
  send(6);
  expect(heard).toEqual([6]);
});

test("before the first copy, events wait", () => {
  const feed = start();
  send(7, 8);
  expect(resyncs).toBe(1);
  feed.caughtUp(7);
  expect(heard).toEqual([8]);
});

test("other messages change nothing, and closing leaves no listener", () => {
  const feed = start();
  model.emit("msg:custom", { kind: "secgemini-reply", seq: 1 }, []);
  model.emit("msg:custom", null, []);
  model.emit("msg:custom", { kind: "secgemini-event", seq: "1" }, []);
  expect([heard, resyncs]).toEqual([[], 0]);
  feed.close();
  expect(model.listening).toBe(0);
});
