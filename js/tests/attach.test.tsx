import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import widget from "../src/attach/index";
import type { AttachedFile, AttachTraits } from "../src/attach/model";
import { FakeModel } from "./fake-model";

let el: HTMLElement;
let model: FakeModel<AttachTraits>;
let stop: (() => void) | undefined;

const LOG: AttachedFile = {
  name: "kerberos.log",
  size: 6123,
  sha256: `3f9a${"0".repeat(56)}c1d2`,
  mime_type: "text/plain",
  content_type_label: "txt",
  verified: true,
};
const PDF: AttachedFile = { ...LOG, name: "report.pdf", content_type_label: "", verified: false };

async function show(traits: Partial<AttachTraits> = {}) {
  model = new FakeModel({
    session_id: "s1",
    session_name: "triage",
    deleted: false,
    destination: "Sec-Gemini, api.secgemini.google",
    retained: true,
    max_bytes: 104_857_600,
    files: [],
    state: "idle",
    ...traits,
  });
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
});

const text = () => el.textContent ?? "";
const rows = () => [...el.querySelectorAll("li")].map((row) => row.textContent);
const status = () => el.querySelector("[role=status]")?.textContent;
const named = (label: string) =>
  el.querySelector<HTMLButtonElement>(`button[aria-label="${label}"]`) as HTMLButtonElement;

async function choose(...files: File[]) {
  const input = el.querySelector<HTMLInputElement>("input[type=file]") as HTMLInputElement;
  Object.defineProperty(input, "files", { value: files, configurable: true });
  await act(() => {
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

/** Everything that waits for nothing but promises has run. */
const turn = () => new Promise((resolve) => setTimeout(resolve));

/** The next call of this method that was not answered yet. */
async function answer(method: string, result: unknown) {
  const answered = done;
  const request = await vi.waitFor(() => {
    const found = model.requests.find((each) => each.method === method && !answered.has(each.uuid));
    if (!found) throw new Error(`no ${method}`);
    return found;
  });
  answered.add(request.uuid);
  await act(async () => {
    model.reply({ result }, request.uuid);
    await turn();
  });
  return request;
}
let done: Set<string>;
beforeEach(() => {
  done = new Set();
});

test("a session that was deleted takes no files, and that is heard", async () => {
  await show({ files: [LOG] });
  await act(() => {
    model.change("deleted", true);
    model.change("files", []);
  });
  expect(text()).toContain("Session triage was deleted, and its files with it.");
  expect(text()).not.toContain("retained");
  expect(el.querySelector(".sg-choose")).toBeNull();
  expect(status()).toContain("was deleted");
});

test("before anything is sent it says what to drop, how large, to whom, into which session, and if it is kept", async () => {
  await show();
  expect(text()).toContain("Drop evidence here, or choose files · up to 105 MB each");
  expect(text()).toContain("to Sec-Gemini, api.secgemini.google · session triage · retained by the service");
  expect(text()).toContain("Each hash is compared.");
  expect(el.querySelector("ul")).toBeNull();
  await act(() => model.change("retained", false));
  await act(() => model.change("destination", "local analyst, 127.0.0.1:4321, not Sec-Gemini"));
  expect(text()).toContain(
    "to local analyst, 127.0.0.1:4321, not Sec-Gemini · session triage · not retained",
  );
});

test("files are listed with type, size, hash and whether it was compared", async () => {
  await show({ files: [LOG, PDF] });
  expect(rows()).toEqual([
    "kerberos.logtxt6.1 kB3f9a…c1d2 copy the sha256 of kerberos.loghash verified",
    "report.pdftext/plain6.1 kB3f9a…c1d2 copy the sha256 of report.pdfnot compared",
  ]);
  expect(text()).toContain("2 files, 12.2 kB");
  expect(text()).not.toContain("Each hash is compared.");
});

test("the whole hash is copied", async () => {
  await show({ files: [LOG] });
  const copied: string[] = [];
  Object.defineProperty(navigator, "clipboard", {
    value: { writeText: async (words: string) => void copied.push(words) },
    configurable: true,
  });
  await act(async () => {
    el.querySelector<HTMLButtonElement>(".sg-hash")?.click();
    await turn();
  });
  expect(copied).toEqual([LOG.sha256]);
  expect(status()).toBe("sha256 of kerberos.log copied");
});

test("a chosen file goes up, and its row gives way to the session's", async () => {
  await show();
  await choose(new File(["evidence"], "a.log", { type: "text/plain" }));
  const begun = await answer("upload_begin", { known: null, same_content: null, missing: [0] });
  expect(begun.params).toMatchObject({ session_id: "s1", name: "a.log", size: 8, anyway: false });
  await answer("upload_chunk", { lost: false });
  expect(rows()).toEqual(["a.log8 Bto the service…"]);
  await act(() => model.change("files", [{ ...LOG, name: "a.log" }]));
  await answer("upload_finish", { state: "attached", error: "", file_idx: 0 });
  expect(rows()).toHaveLength(1);
  expect(status()).toBe("a.log is attached, hash verified");
});

test("a refusal stands in the row with Try again, and is heard", async () => {
  await show();
  await choose(new File(["evidence"], "a.log"));
  await answer("upload_begin", { known: null, same_content: null, missing: [] });
  await answer("upload_finish", { state: "failed", error: "The disk is full (507).", file_idx: null });
  expect(rows()).toEqual(["a.log8 Bnot attachedThe disk is full (507).Try again"]);
  expect(status()).toBe("a.log: The disk is full (507).");
  await act(() => named("Try again: a.log").click());
  await answer("upload_begin", { known: 0, same_content: null, missing: [] });
  expect(rows()).toEqual([]);
});

test("the same content under another name is attached or left out as told", async () => {
  await show({ files: [LOG] });
  await choose(new File(["x"], "a.log"), new File(["x"], "b.log"));
  for (const _ of [1, 2])
    await answer("upload_begin", { known: null, same_content: "kerberos.log", missing: [] });
  expect(rows()[1]).toBe(
    "a.log1 Battach?The same content is attached already as kerberos.log.Attach anywayLeave out",
  );
  await act(() => named("Leave out: b.log").click());
  await act(() => named("Attach anyway: a.log").click());
  const begun = await answer("upload_begin", { known: null, same_content: null, missing: [] });
  expect(begun.params).toMatchObject({ name: "a.log", anyway: true });
  expect(rows()).toHaveLength(2);
});

test("detach sends what is shown, and says what became of it", async () => {
  await show({ files: [LOG, PDF] });
  await act(() => named("Detach report.pdf").click());
  await act(() => named("Detach kerberos.log").click());
  expect(model.requests).toMatchObject([
    {
      method: "detach_file",
      params: { session_id: "s1", file_idx: 1, name: "report.pdf", sha256: PDF.sha256 },
    },
  ]);
  await act(async () => {
    model.reply({ error: "The attachments changed meanwhile." });
    await turn();
  });
  expect(status()).toBe("The attachments changed meanwhile.");
  await act(() => named("Detach report.pdf").click());
  await act(() => model.change("files", [LOG]));
  await act(async () => {
    model.reply({ result: null });
    await turn();
  });
  expect(status()).toBe("report.pdf is detached");
});

test("the keyboard stays in the list when its row goes, and moves to the button that adds when it was the last", async () => {
  await show({ files: [LOG, { ...LOG, name: "b" }, { ...LOG, name: "c" }] });
  named("Detach b").focus();
  await act(() => model.change("files", [LOG, { ...LOG, name: "c" }]));
  expect(document.activeElement).toBe(named("Detach c"));
  await act(() => model.change("files", [LOG]));
  expect(document.activeElement).toBe(named("Detach kerberos.log"));
  await act(() => model.change("files", []));
  expect(document.activeElement).toBe(el.querySelector(".sg-choose"));
});

test("a row that goes elsewhere takes no focus", async () => {
  await show({ files: [LOG, { ...LOG, name: "b" }] });
  const outside = document.body.appendChild(document.createElement("button"));
  named("Detach b").focus();
  outside.focus();
  await act(() => model.change("files", [LOG]));
  expect(document.activeElement).toBe(outside);
  outside.remove();

  named("Detach kerberos.log").focus();
  const kept = named("Detach kerberos.log");
  await act(() => model.change("files", [{ ...LOG, name: "first" }, LOG]));
  expect(document.activeElement).toBe(kept);
});

test("markup in every text is text", async () => {
  const evil = '<img src=x onerror="alert(1)"><b>x</b>';
  const file = { ...LOG, name: evil, mime_type: evil, content_type_label: evil, sha256: evil };
  await show({ session_name: evil, destination: evil, files: [file] });
  await choose(new File(["x"], evil.replaceAll("/", "")));
  await answer("upload_begin", { known: null, same_content: evil, missing: [] });
  expect(el.querySelector("img, b b")).toBeNull();
  expect(text()).toContain(`The same content is attached already as ${evil}.`);
});

test("keys stay in the widget, and ending the view leaves no listener and no node", async () => {
  await show({ files: [LOG] });
  const heard: string[] = [];
  const listen = (event: KeyboardEvent) => heard.push(event.key);
  document.addEventListener("keydown", listen);
  named("Detach kerberos.log").dispatchEvent(new KeyboardEvent("keydown", { key: "b", bubbles: true }));
  document.removeEventListener("keydown", listen);
  expect(heard).toEqual([]);
  expect(el.querySelector("[data-lm-suppress-shortcuts=true]")).toBe(el.firstElementChild);
  expect(model.listening).toBeGreaterThan(0);
  stop?.();
  expect(model.listening).toBe(0);
  expect(el.childNodes).toHaveLength(0);
});
