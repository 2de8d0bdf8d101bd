import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import widget from "../src/chat/index";
import type { ChatTraits, Question, Turn } from "../src/chat/model";
import { merged } from "../src/chat/stream";
import { FakeModel } from "./fake-model";

let el: HTMLElement;
let model: FakeModel<ChatTraits>;
let stop: (() => void) | undefined;

const OK: Turn = {
  key: "k1",
  index: 1,
  prompt: "Who logged in?",
  html: "<div><p>10 <strong>logons</strong></p></div>",
  status: "ok",
  group: "g1",
  rating: null,
  stoppable: false,
};
const RUNNING: Turn = {
  ...OK,
  key: "k2",
  index: 2,
  prompt: "And then?",
  html: "",
  status: "running",
  stoppable: true,
};
const QUESTION: Question = {
  id: "a".repeat(32),
  kind: "tool",
  name: "lookup_dns_record",
  arguments: [
    ["name", '"mail.example.org"'],
    ["script", "one\n<b>two</b>"],
  ],
  session: "triage",
  expires_at: 1_769_849_107,
};
const TRAITS: ChatTraits = {
  state: "idle",
  session_id: "s1",
  session_name: "triage",
  sessions: [{ id: "s1", name: "triage" }],
  turns: [],
  earlier: 0,
  destination: "Sec-Gemini, api.secgemini.google",
  retained: false,
  approvals: [],
  files: [],
  max_bytes: 104_857_600,
};

async function show(traits: Partial<ChatTraits> = {}, shown = new FakeModel({ ...TRAITS, ...traits })) {
  model = shown;
  const render = widget.render as (props: unknown) => () => void;
  await act(() => {
    stop = render({ model: model.asModel(), el });
  });
}

beforeEach(() => {
  el = document.body.appendChild(document.createElement("div"));
});

afterEach(() => {
  stop?.();
  stop = undefined;
  el.remove();
  vi.useRealTimers();
});

const text = () => el.textContent ?? "";
const status = () => el.querySelector("[role=status]")?.textContent;
const field = () => el.querySelector("textarea") as HTMLTextAreaElement;
const turns = () => [...el.querySelectorAll("article")];
const asked = (method: string) => model.requests.filter((request) => request.method === method);

function button(words: string, within: Element = el): HTMLButtonElement {
  const found = [...within.querySelectorAll("button")].find(
    (node) => node.textContent?.trim() === words || node.getAttribute("aria-label") === words,
  );
  if (!found) throw new Error(`no button ${words}`);
  return found;
}
const press = (words: string) => act(() => button(words).click());

const type = (value: string) =>
  act(() => {
    field().value = value;
    field().dispatchEvent(new Event("input", { bubbles: true }));
  });

async function key(name: string, more: KeyboardEventInit = {}, target: Element = field()) {
  const event = new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more });
  await act(() => {
    target.dispatchEvent(event);
  });
  return event;
}

const answer = (method: string, reply: { result?: unknown; error?: string }) =>
  act(async () => {
    model.reply(reply, asked(method).at(-1)?.uuid);
    await Promise.resolve();
    await Promise.resolve();
  });

const change = (traits: Partial<ChatTraits>) =>
  act(() => {
    for (const [name, value] of Object.entries(traits))
      model.change(name as keyof ChatTraits, value as never);
  });

const event = (seq: number, content: object) =>
  act(() => model.emit("msg:custom", { kind: "secgemini-event", seq, ...content }, []));

test("an empty chat says who answers, where it goes, whether it is kept, and what to ask", async () => {
  await show();
  expect(text()).toContain("Prompts go to Sec-Gemini, api.secgemini.google.");
  expect(text()).toContain("not retained");
  const [example] = [...el.querySelectorAll<HTMLButtonElement>(".sg-chat-example")];
  await act(() => example?.click());
  expect(field().value).toBe(example?.textContent);
  expect(document.activeElement).toBe(field());
  expect(asked("send")).toEqual([]);
});

test("Enter sends, Shift+Enter and the Enter of an input method do not", async () => {
  await show();
  await type("Who?");
  expect((await key("Enter", { shiftKey: true })).defaultPrevented).toBe(false);
  expect((await key("Enter", { isComposing: true })).defaultPrevented).toBe(false);
  expect(asked("send")).toEqual([]);
  expect((await key("Enter")).defaultPrevented).toBe(true);
  expect(asked("send")).toMatchObject([{ params: { session_id: "s1", prompt: "Who?" } }]);
  expect(status()).toBe("Sending…");
  expect(field().value).toBe("Who?");
  await answer("send", { result: null });
  expect(field().value).toBe("");
});

test("a refused prompt stays in the field, beside one line", async () => {
  await show();
  await type("Who?");
  await key("Enter");
  await answer("send", {
    error: "A turn is running in session triage: wait for it, or stop it. Nothing was sent.",
  });
  expect(field().value).toBe("Who?");
  expect(status()).toContain("A turn is running in session triage");
});

test("what is typed while the prompt is on its way is not lost", async () => {
  await show();
  await type("Who?");
  await key("Enter");
  await type("Who? And from where?");
  await answer("send", { result: null });
  expect(field().value).toBe("Who? And from where?");
});

test("a prompt that a busy kernel took after the call gave up leaves the field", async () => {
  vi.useFakeTimers();
  await show();
  await type("And then?");
  await key("Enter");
  await act(async () => {
    await vi.advanceTimersByTimeAsync(31_000);
  });
  expect(status()).toContain("No answer from the kernel");
  expect(field().value).toBe("And then?");
  await change({ turns: [RUNNING], state: "running" });
  expect(field().value).toBe("");
});

test("nothing is sent while a turn runs, and the text stays", async () => {
  await show({ turns: [RUNNING], state: "running" });
  await type("me too");
  await key("Enter");
  expect(asked("send")).toEqual([]);
  expect(status()).toContain("A turn is running");
  expect(field().value).toBe("me too");
  expect(button("Send").getAttribute("aria-disabled")).toBe("true");
});

test("an empty prompt is not sent", async () => {
  await show();
  await key("Enter");
  expect(asked("send")).toEqual([]);
  expect(status()).toContain("The prompt is empty");
});

test("Stop stops, keeps the focus in the widget, and Escape does not stop", async () => {
  await show({ turns: [RUNNING], state: "running" });
  await key("Escape");
  expect(asked("stop")).toEqual([]);
  button("Stop").focus();
  await press("Stop");
  expect(asked("stop")).toMatchObject([{ params: { session_id: "s1" } }]);
  expect(document.activeElement).toBe(field());
  await change({
    state: "idle",
    turns: [{ ...RUNNING, status: "interrupted", html: "<p>part</p>", stoppable: false }],
  });
  expect(status()).toBe("Stopped; what had arrived is kept");
});

test("a turn that a cell asked is stopped there", async () => {
  await show({ turns: [{ ...RUNNING, stoppable: false }], state: "running" });
  await press("Stop");
  expect(asked("stop")).toEqual([]);
  expect(status()).toContain("■ in the toolbar");
});

test("a running answer is shown as it comes, then as a whole; the status says how it stands", async () => {
  await show({ turns: [OK] });
  await answer("resync", { result: { seq: 4, turn: "", outputs: [] } });
  await change({ turns: [OK, RUNNING], state: "running" });
  expect(status()).toBe("Answering…");
  expect(turns()[1]?.textContent).toContain("Waiting for the first message");
  await event(5, { turn: "k2", outputs: [[0, "<p>first</p>"], [1, "<p>sec</p>"]] }); // biome-ignore format: short
  const first = turns()[1]?.querySelectorAll("p")[0];
  await event(6, { turn: "k2", outputs: [[1, "<p>second</p>"]] });
  expect(turns()[1]?.textContent).toContain("firstsecond");
  expect(turns()[1]?.querySelectorAll("p")[0]).toBe(first); // what is finished is not drawn again
  await change({ turns: [OK, { ...RUNNING, status: "ok", html: "<p>the whole</p>" }], state: "idle" });
  expect(turns()[1]?.textContent).toContain("the whole");
  expect(status()).toBe("Answer complete");
  expect(el.querySelector("[role=log]")?.getAttribute("aria-live")).toBe("off");
});

test("a view that opens late asks for all of it, and again if nobody answered", async () => {
  vi.useFakeTimers();
  await show({ turns: [RUNNING], state: "running" });
  expect(asked("resync")).toHaveLength(1);
  await act(async () => {
    await vi.advanceTimersByTimeAsync(32_000);
  });
  expect(asked("resync")).toHaveLength(2);
  await answer("resync", { result: { seq: 9, turn: "k2", outputs: [[0, "<p>so far</p>"]] } });
  expect(turns()[0]?.textContent).toContain("so far");
  await event(10, { turn: "k2", outputs: [[0, "<p>so far and on</p>"]] });
  expect(turns()[0]?.textContent).toContain("so far and on");
});

test("outputs of another turn replace those before, and nonsense changes nothing", () => {
  const before = { turn: "a", outputs: new Map([[0, "x"]]), changes: 1, isSaved: true };
  expect([...merged(before, { turn: "b", outputs: [[1, "y"]] }).outputs]).toEqual([[1, "y"]]);
  expect(merged(before, { turn: 7, outputs: [[1, "y"]] })).toBe(before);
  expect(merged(before, { turn: "a", outputs: "no" })).toBe(before);
  expect([...merged(before, { turn: "a", outputs: [["0", "z"], [2, 3]] }).outputs]).toEqual([[0, "x"]]); // biome-ignore format: short
});

test("markup of an answer runs nothing, and a prompt is text", async () => {
  const html = "<img src=x onerror='window.pwned=1'><script>window.pwned=2</script><p onclick='x()'>kept</p>";
  await show({ turns: [{ ...OK, prompt: "<b>bold</b>", html }] });
  expect(el.querySelectorAll("script, img, [onclick]")).toHaveLength(0);
  expect(text()).toContain("kept");
  expect(turns()[0]?.querySelector(".sg-turn-words")?.textContent).toBe("<b>bold</b>");
});

test("the last turn can be asked again, a failed one says where to look", async () => {
  await show({ turns: [OK], state: "running" });
  await change({
    state: "idle",
    turns: [OK, { ...OK, key: "k2", index: 2, status: "error", html: "<p>Failed: …</p>" }],
  });
  expect(status()).toBe("The turn failed: what to do stands in it");
  expect(() => button("Retry", turns()[0])).toThrow();
  await press("Retry");
  expect(asked("retry")).toMatchObject([{ params: { session_id: "s1" } }]);
});

test("a prompt that was stopped before it was sent says so, and is not rated", async () => {
  await show({ turns: [{ ...RUNNING, index: 2 }], state: "running" });
  await change({ state: "idle", turns: [{ ...OK, key: RUNNING.key, index: 0, status: "interrupted" }] });
  expect(status()).toBe("Stopped before it was sent");
  expect(turns()[0]?.getAttribute("aria-label")).toBe("Prompt that was not sent");
  expect(() => button("Helpful")).toThrow();
  button("Retry");
});

test("a turn is rated by a click, then a comment goes with the same score", async () => {
  await show({ turns: [OK] });
  await press("Not helpful");
  expect(asked("rate")[0]?.params).toEqual({ session_id: "s1", turn: "k1", score: 0, comment: "" });
  await answer("rate", { result: null });
  await change({ turns: [{ ...OK, rating: 0 }] });
  expect(button("Not helpful").getAttribute("aria-pressed")).toBe("true");
  expect(status()).toBe("Sent for turn 1");
  const comment = el.querySelector<HTMLInputElement>(".sg-turn-comment input") as HTMLInputElement;
  await act(() => {
    comment.value = " wrong host ";
    comment.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await press("Send comment");
  expect(asked("rate")[1]?.params).toEqual({ session_id: "s1", turn: "k1", score: 0, comment: "wrong host" });
  await answer("rate", { error: "10 requests a minute are used up. Wait 7 s." });
  expect(comment.value).toBe(" wrong host ");
  expect(status()).toBe("10 requests a minute are used up. Wait 7 s.");
});

test("an approval shows the tool and all arguments as text, and sends what was pressed", async () => {
  await show({ turns: [RUNNING], state: "waiting for approval", approvals: [QUESTION] });
  const question = el.querySelector(".sg-question") as HTMLElement;
  expect(question.textContent).toContain("Run on this machine?");
  expect(question.textContent).toContain("lookup_dns_record");
  expect([...question.querySelectorAll("dt")].map((node) => node.textContent)).toEqual(["name", "script"]);
  expect([...question.querySelectorAll("pre")].map((node) => node.textContent)).toEqual([
    '"mail.example.org"',
    "one\n<b>two</b>",
  ]);
  expect(question.textContent).toContain("Denied at 08:45:07 UTC if nobody answers.");
  expect(status()).toBe("Waiting for you: approve lookup_dns_record?");
  await press("Approve");
  expect(asked("decide")[0]?.params).toEqual({ question: QUESTION.id, approve: true });
  await press("Deny");
  expect(asked("decide")[1]?.params).toEqual({ question: QUESTION.id, approve: false });
  expect(document.activeElement).toBe(field());
});

test("an approval takes the focus from an empty field, to no button, and not from one who writes", async () => {
  await show({ turns: [RUNNING], state: "running" });
  field().focus();
  await change({ state: "waiting for approval", approvals: [QUESTION] });
  expect(document.activeElement).toBe(el.querySelector(".sg-question"));
  await key("Enter", {}, document.activeElement as Element);
  expect(asked("decide")).toEqual([]);

  await change({ state: "running", approvals: [] });
  field().focus();
  await type("I am writing");
  await change({
    state: "waiting for approval",
    approvals: [{ ...QUESTION, id: "b".repeat(32), session: "other" }],
  });
  expect(document.activeElement).toBe(field());
  expect(el.querySelector(".sg-question")?.textContent).toContain("in session other");
});

test("a question of another session is told too, and no longer when it is gone", async () => {
  await show({ turns: [OK] });
  await change({ approvals: [{ ...QUESTION, session: "other" }] });
  expect(status()).toBe("Waiting for you in session other: approve lookup_dns_record?");
  await change({ state: "running", turns: [OK, RUNNING] });
  expect(status()).toBe("Answering…");
  await change({ state: "idle", turns: [OK, { ...OK, key: RUNNING.key }] });
  expect(status()).toBe("Answer complete");
  await change({ approvals: [{ ...QUESTION, id: "c".repeat(32), session: "other" }] });
  await change({ approvals: [] });
  expect(status()).toBe("");
});

test("a question that goes away leaves the focus in the chat, and takes it from nobody", async () => {
  await show({ turns: [RUNNING], state: "waiting for approval", approvals: [QUESTION] });
  button("Approve").focus();
  await change({ state: "running", approvals: [] });
  expect(document.activeElement).toBe(field());
  await change({ state: "waiting for approval", approvals: [QUESTION] });
  button("Attach files").focus();
  await change({ state: "running", approvals: [] });
  expect(document.activeElement).not.toBe(field());
});

test("an approval takes no focus from the notebook", async () => {
  const outside = document.body.appendChild(document.createElement("button"));
  await show({ turns: [RUNNING], state: "running" });
  outside.focus();
  await change({ state: "waiting for approval", approvals: [QUESTION] });
  expect(document.activeElement).toBe(outside);
  outside.remove();
});

test("the session's button lists the others, switches, and makes a new one", async () => {
  await show();
  const opener = () => button("Session triage, choose another");
  await act(() => opener().click());
  expect(opener().getAttribute("aria-expanded")).toBe("true");
  expect(text()).toContain("Reading the list…");
  await change({ sessions: [...TRAITS.sessions, { id: "s2-0123456789", name: "kerberos" }] });
  await answer("list_sessions", { result: null });
  expect(text()).not.toContain("Reading the list…");
  await act(() => (el.querySelector("[title='s2-0123456789']") as HTMLElement).click());
  expect(asked("switch")[0]?.params).toEqual({ session_id: "s2-0123456789" });
  await answer("switch", { result: null });
  expect(opener().getAttribute("aria-expanded")).toBe("false");
  expect(document.activeElement).toBe(opener());

  await act(() => opener().click());
  await press("New session");
  await answer("new_session", { error: "The service refused the key (401). Run %secgemini login." });
  expect(status()).toContain("refused the key");
  expect(opener().getAttribute("aria-expanded")).toBe("true");
  await key("Escape", {}, button("New session"));
  expect(opener().getAttribute("aria-expanded")).toBe("false");
});

test("attachments are listed and detached; a prompt waits for a file that is on its way", async () => {
  const log = {
    name: "kerberos.log",
    size: 6123,
    sha256: "3f9a",
    mime_type: "",
    content_type_label: "",
    verified: true,
  };
  await show({ files: [log] });
  expect(el.querySelector("[aria-label='Attached files']")?.textContent).toContain("kerberos.log6.1 kB");
  await press("Detach kerberos.log");
  const params = { session_id: "s1", file_idx: 0, name: "kerberos.log", sha256: "3f9a" };
  expect(asked("detach_file")[0]?.params).toEqual(params);
  const input = el.querySelector("input[type=file]") as HTMLInputElement;
  Object.defineProperty(input, "files", { value: [new File(["x"], "new.log")], configurable: true });
  await act(() => {
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  expect(text()).toContain("new.log");
  await type("Who?");
  await key("Enter");
  expect(asked("send")).toEqual([]);
  expect(status()).toContain("A file is still on its way");
});

test("what was typed outlives a view that is drawn anew", async () => {
  await show();
  await type("half a thought");
  const before = model;
  await act(() => stop?.());
  await show({}, before);
  expect(field().value).toBe("half a thought");
});

test("a page whose notebook does not get what is said says so", async () => {
  await show({ turns: [OK] });
  expect(text()).not.toContain("saved notebook");
  const page = asked("resync")[0]?.params.page;
  await answer("resync", { result: { seq: 0, turn: "", outputs: [], is_saved: false } });
  expect(text()).toContain("run the chat in a cell again to keep it there too");
  const before = model;
  await act(() => stop?.());
  await show({}, before);
  expect(asked("resync")[1]?.params.page).toBe(page);
});

test("older turns are counted", async () => {
  await show({ turns: [OK], earlier: 1200 });
  expect(text()).toContain("1,200 turns before these: see history() or visualize().");
});

test("no key gets past the widget to the notebook, and nothing listens after its end", async () => {
  const heard = vi.fn();
  document.body.addEventListener("keydown", heard);
  await show({ turns: [OK] });
  await key("b");
  await key("Escape", {}, button("Helpful"));
  expect(heard).not.toHaveBeenCalled();
  document.body.removeEventListener("keydown", heard);
  await act(() => stop?.());
  stop = undefined;
  expect(model.listening).toBe(0);
  expect(el.textContent).toBe("");
});

test("a reader who scrolled up stays there, and gets a button", async () => {
  await show({ turns: [OK] });
  const log = el.querySelector("[role=log]") as HTMLElement;
  Object.defineProperties(log, { scrollHeight: { value: 2000 }, clientHeight: { value: 400 } });
  await act(() => {
    for (const top of [1600, 100]) {
      log.scrollTop = top;
      log.dispatchEvent(new Event("scroll"));
    }
  });
  await change({ turns: [OK, { ...RUNNING, stoppable: false }], state: "running" });
  expect(log.scrollTop).toBe(100);
  await press("New answer below");
  expect(log.scrollTop).toBe(2000);
  expect(document.activeElement).toBe(log);
  expect(() => button("New answer below")).toThrow();
});
