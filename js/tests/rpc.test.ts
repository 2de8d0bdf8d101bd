import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Channel, connect, NoAnswer } from "../src/shared/rpc";
import { FakeModel } from "./fake-model";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function connected(timeout?: number) {
  const model = new FakeModel({});
  return { model, rpc: connect(model as unknown as Channel, timeout) };
}

test("a call carries method, parameters and an id of its own, and resolves with its result", async () => {
  const { model, rpc } = connected();
  const [first, second] = [rpc.call("a", { x: 1 }), rpc.call("b", {})];
  expect(model.requests.map(({ method, params }) => [method, params])).toEqual([
    ["a", { x: 1 }],
    ["b", {}],
  ]);
  expect(model.requests[0]?.uuid).toMatch(/^[0-9a-f]{32}$/);

  model.reply({ result: "of b" }, model.requests[1]?.uuid);
  model.reply({ result: "of a" }, model.requests[0]?.uuid);
  expect((await first).result).toBe("of a");
  expect((await second).result).toBe("of b");
});

test("an error reply rejects with the kernel's line", async () => {
  const { model, rpc } = connected();
  const call = rpc.call("a", {});
  model.reply({ error: "The quota is used up." });
  await expect(call).rejects.toThrow("The quota is used up.");
});

test("without a reply a call fails after the timeout, and a late reply is ignored", async () => {
  const { model, rpc } = connected(5000);
  const call = rpc.call("a", {});
  const failed = expect(call).rejects.toThrow("No answer from the kernel within 5 s");
  await vi.advanceTimersByTimeAsync(5000);
  await failed;
  model.reply({ result: "late" });
  await expect(call).rejects.toThrow();
  expect(vi.getTimerCount()).toBe(0);
});

test("a call may have a time of its own, and one without an answer can be told from a refusal", async () => {
  const { model, rpc } = connected();
  const late = expect(rpc.call("a", {}, [], 200)).rejects.toThrow(NoAnswer);
  await vi.advanceTimersByTimeAsync(200);
  await late;
  const refused = rpc.call("b", {});
  model.reply({ error: "The quota is used up." });
  await expect(refused).rejects.not.toBeInstanceOf(NoAnswer);
});

test("other messages and replies to other views change nothing", async () => {
  const { model, rpc } = connected();
  const call = rpc.call("a", {});
  for (const content of [null, "text", {}, { kind: "anywidget-command" }, { kind: "secgemini-reply" }])
    model.emit("msg:custom", content, []);
  model.reply({ result: "not ours" }, "0".repeat(32));
  model.reply({ result: "ours" });
  expect((await call).result).toBe("ours");
});

test("a model that cannot send rejects at once", async () => {
  const { model, rpc } = connected();
  model.send = () => {
    throw new Error("comm is closed");
  };
  await expect(rpc.call("a", {})).rejects.toThrow("The kernel is not connected");
  expect(vi.getTimerCount()).toBe(0);
});

test("closing rejects what waits, and leaves no listener and no timer", async () => {
  const { model, rpc } = connected();
  const call = rpc.call("a", {});
  rpc.close();
  await expect(call).rejects.toThrow("closed");
  expect(model.listening).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});
