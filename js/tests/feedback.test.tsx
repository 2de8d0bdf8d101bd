import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, test } from "vitest";
import widget from "../src/feedback/index";
import type { FeedbackTraits, Sent } from "../src/feedback/model";
import { FakeModel } from "./fake-model";

let el: HTMLElement;
let model: FakeModel<FeedbackTraits>;
let stop: (() => void) | undefined;

const HELPFUL: Sent = { kind: "feedback", score: 1, text: "", sent_at: "2026-01-31T21:41:07.123+00:00" };

function render(traits: Partial<FeedbackTraits> = {}) {
  model = new FakeModel({
    ...{ session_id: "s1", session_name: "triage", label: "turn 3", sent: [] },
    ...{ score: null, state: "idle", compact: false },
    ...traits,
  });
  stop = (widget.render as (props: unknown) => () => void)({ model: model.asModel(), el });
}

async function show(traits: Partial<FeedbackTraits> = {}) {
  await act(() => render(traits));
}

beforeEach(() => {
  el = document.body.appendChild(document.createElement("div"));
});

afterEach(() => {
  stop?.();
  stop = undefined;
  el.remove();
});

function button(words: string): HTMLButtonElement {
  const found = [...el.querySelectorAll("button")].find((node) => node.textContent?.trim() === words);
  if (!found) throw new Error(`no button ${words}`);
  return found;
}

function field(selector: string): HTMLInputElement {
  const found = el.querySelector<HTMLInputElement>(selector);
  if (!found) throw new Error(`no field ${selector}`);
  return found;
}

const press = (words: string) => act(() => button(words).click());
const status = () => el.querySelector("[role=status]")?.textContent;
const sentItems = () => [...el.querySelectorAll("li")].map((item) => item.textContent);

const type = (selector: string, value: string) =>
  act(() => {
    field(selector).value = value;
    field(selector).dispatchEvent(new Event("input", { bubbles: true }));
  });

const answer = (reply: { result?: unknown; error?: string }) =>
  act(async () => {
    model.reply(reply);
    await Promise.resolve();
  });

test("one click on Helpful sends a score of 1 for the session that is shown", async () => {
  await show();
  await press("Helpful");
  expect(model.requests).toMatchObject([
    { method: "send_feedback", params: { session_id: "s1", score: 1, comment: "" } },
  ]);
  expect(status()).toBe("Sending…");
  await answer({ result: null });
  expect(status()).toBe("Sent for turn 3");
  expect(button("Helpful").getAttribute("aria-pressed")).toBe("true");
  expect(button("Not helpful").getAttribute("aria-pressed")).toBe("false");
});

test("a click before the first frame is painted counts for the comment that follows", async () => {
  render();
  button("Helpful").click();
  await answer({ result: null });
  await type("input", "quick");
  await press("Send");
  expect(model.requests.at(-1)?.params).toMatchObject({ score: 1, comment: "quick" });
});

test("Not helpful sends a score of 0, with the comment that stands there", async () => {
  await show();
  await type("input", "  wrong host ");
  await press("Not helpful");
  expect(model.requests[0]?.params).toEqual({ session_id: "s1", score: 0, comment: "wrong host" });
  await answer({ result: null });
  expect(field("input").value).toBe("");
});

test("a failed send keeps the text and shows the kernel's line", async () => {
  await show();
  await type("input", "good");
  await press("Helpful");
  await answer({ error: "The service refused the key ending in …9f3a (401). Run %secgemini login." });
  expect(status()).toBe("The service refused the key ending in …9f3a (401). Run %secgemini login.");
  expect(field("input").value).toBe("good");

  await press("Send");
  expect(model.requests).toHaveLength(2);
  expect(model.requests[1]?.params).toMatchObject({ score: 1, comment: "good" });
});

test("what is typed while a comment is on its way is kept", async () => {
  await show();
  await type("input", "first");
  await press("Helpful");
  await type("input", "first, and more");
  await answer({ result: null });
  expect(field("input").value).toBe("first, and more");
});

test("a second click while sending sends nothing", async () => {
  await show();
  await press("Helpful");
  await press("Helpful");
  await press("Not helpful");
  expect(model.requests).toHaveLength(1);
});

test("the same score without a comment is not sent twice", async () => {
  await show({ sent: [HELPFUL], score: 1 });
  expect(button("Helpful").getAttribute("aria-pressed")).toBe("true");
  await press("Helpful");
  expect(model.requests).toHaveLength(0);
  expect(status()).toContain("Already sent for turn 3");
});

test("a comment without a score asks for one, and is kept", async () => {
  await show();
  await type("input", "hm");
  await press("Send");
  expect(model.requests).toHaveLength(0);
  expect(status()).toContain("Choose Helpful or Not helpful");
  expect(field("input").value).toBe("hm");
});

test("a bug report opens with the focus in its field, is sent, and closes with the focus back", async () => {
  await show();
  await press("Report a bug");
  expect(button("Report a bug").getAttribute("aria-expanded")).toBe("true");
  expect(document.activeElement).toBe(field("textarea"));
  await type("textarea", "Timeline lost its last row.");
  await press("Send report");
  expect(model.requests).toMatchObject([
    { method: "send_bug_report", params: { session_id: "s1", bug: "Timeline lost its last row." } },
  ]);
  await answer({ result: null });
  expect(status()).toBe("Bug report sent");
  expect(el.querySelector("textarea")).toBeNull();
  expect(document.activeElement).toBe(button("Report a bug"));
});

test("a bug report that failed, or was put aside with Escape, is still there", async () => {
  await show();
  await press("Report a bug");
  await type("textarea", "lost row");
  await press("Send report");
  await answer({ error: "No connection." });
  expect(field("textarea").value).toBe("lost row");
  await act(() => {
    field("textarea").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  });
  expect(el.querySelector("textarea")).toBeNull();
  await press("Report a bug");
  expect(field("textarea").value).toBe("lost row");
});

test("an empty bug report is not sent", async () => {
  await show();
  await press("Report a bug");
  await type("textarea", "  \n ");
  await press("Send report");
  expect(model.requests).toHaveLength(0);
  expect(status()).toContain("empty");
});

test("what was sent is listed, the newest five, and the rest counted", async () => {
  await show({ sent: [HELPFUL] });
  expect(sentItems()).toEqual(["Helpful21:41:07 UTC"]);
  const bug: Sent = { ...HELPFUL, kind: "bug", score: 0, text: "lost row" };
  await act(() => model.change("sent", [...Array<Sent>(6).fill(HELPFUL), bug]));
  expect(sentItems()).toHaveLength(6);
  expect(sentItems().at(-2)).toBe("Bug reportlost row21:41:07 UTC");
  expect(sentItems().at(-1)).toBe("and 2 earlier");
});

test("a comment that arrived after its call gave up is cleared when the kernel says so", async () => {
  await show();
  await type("input", "late");
  await press("Helpful");
  await answer({ error: "No answer from the kernel within 30 s" });
  await act(() => model.change("sent", [{ ...HELPFUL, text: "late" }]));
  expect(status()).toBe("Sent for turn 3");
  expect(field("input").value).toBe("");
});

test("markup in names, comments and errors is text", async () => {
  const evil = '<img src=x onerror="alert(1)"><b>x</b>';
  await show({ session_name: evil, label: evil, sent: [{ ...HELPFUL, text: evil }] });
  await press("Not helpful");
  await answer({ error: evil });
  expect(el.querySelector("img")).toBeNull();
  expect(status()).toBe(evil);
  expect(sentItems()[0]).toContain(evil);
});

test("keys stay in the widget", async () => {
  await show();
  const heard: string[] = [];
  const listen = (event: KeyboardEvent) => heard.push(event.key);
  document.addEventListener("keydown", listen);
  button("Helpful").dispatchEvent(new KeyboardEvent("keydown", { key: "b", bubbles: true }));
  el.dispatchEvent(new KeyboardEvent("keydown", { key: "outside", bubbles: true }));
  document.removeEventListener("keydown", listen);
  expect(heard).toEqual(["outside"]);
  expect(el.querySelector("[data-lm-suppress-shortcuts=true]")).toBe(el.firstElementChild);
});

test("the strip is a row of thumbs, named and without words; the rest opens on demand", async () => {
  await show({ compact: true });
  const buttons = [...el.querySelectorAll("button")];
  expect(buttons.map((node) => node.getAttribute("aria-label") ?? node.textContent)).toEqual([
    "Helpful",
    "Not helpful",
    "Comment or bug…",
  ]);
  expect(el.querySelector("input")).toBeNull();
  await act(() => buttons[1]?.click());
  expect(model.requests[0]?.params).toEqual({ session_id: "s1", score: 0, comment: "" });
  await answer({ result: null });
  expect(status()).toBe("Sent for turn 3");

  await press("Comment or bug…");
  expect(button("Comment or bug…").getAttribute("aria-expanded")).toBe("true");
  await type("input", "late");
  await press("Send");
  expect(model.requests[1]?.params).toEqual({ session_id: "s1", score: 0, comment: "late" });
  await answer({ error: "No connection." });
  await press("Comment or bug…");
  expect(status()).toBe("No connection.");
  await press("Comment or bug…");
  expect(field("input").value).toBe("late");
});

test("the score that another view sent is pressed here", async () => {
  await show({ compact: true });
  await act(() => model.change("score", 1));
  expect(el.querySelector("[aria-label=Helpful]")?.getAttribute("aria-pressed")).toBe("true");
});

test("two views on a page share no id", async () => {
  await show();
  await press("Report a bug");
  const first = el;
  const endFirst = stop;
  el = document.body.appendChild(document.createElement("div"));
  await show({ compact: true });
  await press("Comment or bug…");
  await press("Report a bug");
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  expect(ids).toHaveLength(5);
  expect(new Set(ids).size).toBe(5);
  endFirst?.();
  first.remove();
});

test("ending the view leaves no listener and no node", async () => {
  await show();
  expect(model.listening).toBeGreaterThan(0);
  stop?.();
  expect(model.listening).toBe(0);
  expect(el.childNodes).toHaveLength(0);
});
