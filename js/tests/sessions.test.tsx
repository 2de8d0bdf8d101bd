import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import widget from "../src/sessions/index";
import { expiry, fullTime, listed, shortTime } from "../src/sessions/list";
import type { Listed, SessionsTraits } from "../src/sessions/model";
import { FakeModel } from "./fake-model";

const NOW = Date.parse("2026-01-31T21:41:07Z");

function session(name: string, more: Partial<Listed> = {}): Listed {
  return {
    ...{ session_id: `id-${name}`, name, description: "", turns: 1, messages: 4, files: 0, retained: true },
    ...{ current: false, created_at: "2026-01-31T09:00:00+00:00", updated_at: "2026-01-31T09:00:00+00:00" },
    expires_at: "2026-02-01T09:00:00+00:00",
    ...more,
  };
}

const TRIAGE = session("triage", {
  current: true,
  turns: 3,
  files: 2,
  created_at: "2026-01-31T12:00:00+00:00",
});
const PHISH = session("phish", { description: "mail from evil[.]example" });
const OLD = session("old case", { turns: 12, created_at: "2025-12-01T09:00:00+00:00", expires_at: "" });

let el: HTMLElement;
let model: Model;
let stop: (() => void) | undefined;

/** Keeps what the view sets itself, and has a widget manager where a test gives one. */
class Model extends FakeModel<SessionsTraits> {
  widget_manager: unknown;
  set(key: keyof SessionsTraits, value: never) {
    this.change(key, value);
  }
  save_changes() {}
}

async function show(traits: Partial<SessionsTraits> = {}, manager?: unknown) {
  const sessions = [TRIAGE, PHISH, OLD];
  model = new Model({
    ...{ sessions, selected: "", opened: null, opened_id: "", state: "idle", total: sessions.length },
    ...{ listed_at: "2026-01-31T21:41:07+00:00", destination: "local analyst, 127.0.0.1, not Sec-Gemini" },
    ...traits,
  });
  model.widget_manager = manager;
  const render = widget.render as (props: unknown) => () => void;
  await act(() => {
    stop = render({ model: model.asModel(), el });
  });
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  el = document.body.appendChild(document.createElement("div"));
});

afterEach(() => {
  stop?.();
  stop = undefined;
  el.remove();
  vi.useRealTimers();
});

function one<T extends HTMLElement>(selector: string): T {
  const found = el.querySelector<T>(selector);
  if (!found) throw new Error(`nothing at ${selector}`);
  return found;
}

function button(words: string): HTMLButtonElement {
  const found = [...el.querySelectorAll("button")].find((node) => node.textContent?.trim() === words);
  if (!found) throw new Error(`no button ${words}`);
  return found;
}

const rows = () => [...el.querySelectorAll<HTMLElement>("tbody tr")];
const names = () => rows().map((row) => row.querySelector("th span")?.textContent);
const press = (words: string) => act(() => button(words).click());
const selectRow = (index: number) => act(() => rows()[index]?.click());
const status = () => el.querySelector(".sg-sessions-status")?.textContent;
const count = () => el.querySelector(".sg-sessions-count")?.textContent;
const last = () => model.requests.at(-1);

const key = (name: string, target: Element | null = document.activeElement) =>
  act(() => {
    target?.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
  });

const type = (selector: string, value: string) =>
  act(() => {
    one<HTMLInputElement>(selector).value = value;
    one(selector).dispatchEvent(new Event("input", { bubbles: true }));
  });

const answer = (reply: { result?: unknown; error?: string }) =>
  act(async () => {
    model.reply(reply);
    await Promise.resolve();
  });

test("sessions are listed newest first, with what one asks about them", async () => {
  await show();
  expect(names()).toEqual(["triage", "phish", "old case"]);
  expect(rows()[0]?.textContent).toBe("triagecurrent3231 Jan 12:00in 11 hyes");
  expect(rows()[2]?.textContent).toBe("old case1201 Dec 2025not knownyes");
  expect(count()).toBe("3 sessions");
});

test("a search looks into names, descriptions and ids, and says how many it found", async () => {
  await show();
  await type("input", "TRIA");
  expect([names(), count()]).toEqual([["triage"], "1 of 3"]);
  await type("input", "evil.example");
  expect(names()).toEqual(["phish"]);
  await type("input", "id-old");
  expect(names()).toEqual(["old case"]);
  await type("input", "nothing");
  expect([names(), count()]).toEqual([[], "0 of 3"]);
  expect(el.textContent).toContain("No session matches. Clear the search");
});

test("a header sorts by its column, and turns the order when pressed again", async () => {
  await show();
  await press("Turns");
  expect(names()).toEqual(["old case", "triage", "phish"]);
  expect(one("[aria-sort=descending]").textContent).toBe("Turns ↓");
  await press("Turns ↓");
  expect(names()).toEqual(["phish", "triage", "old case"]);
  await press("Name");
  expect(names()).toEqual(["old case", "phish", "triage"]);
});

test("arrows lead from row to row, select, and stop at the ends", async () => {
  await show();
  rows()[0]?.focus();
  await key("ArrowDown");
  expect(model.get("selected")).toBe("id-triage");
  await key("ArrowDown");
  await key("ArrowDown");
  await key("ArrowDown");
  expect(model.get("selected")).toBe("id-old case");
  expect(document.activeElement).toBe(rows()[2]);
  expect(rows().map((row) => [row.tabIndex, row.getAttribute("aria-selected")])).toEqual([
    [-1, "false"],
    [-1, "false"],
    [0, "true"],
  ]);
  await key("Home");
  expect(model.get("selected")).toBe("id-triage");
  await key("End");
  expect(model.get("selected")).toBe("id-old case");
});

test("Resume makes the selected session current; of the current one it says so", async () => {
  await show();
  await selectRow(1);
  await press("Resume");
  expect(last()).toMatchObject({ method: "resume", params: { session_id: "id-phish" } });
  await answer({ result: "Resumed phish: the next %%secgemini cell asks in it." });
  expect(status()).toContain("Resumed phish");
  await selectRow(0);
  await press("Resume");
  expect(model.requests).toHaveLength(1);
  expect(status()).toContain("current session already");
});

test("F2 renames in the row: Enter saves, Escape keeps the old name, the focus comes back", async () => {
  await show();
  await selectRow(1);
  await key("F2");
  const field = one<HTMLInputElement>(".sg-sessions-rename");
  expect(document.activeElement).toBe(field);
  expect(field.value).toBe("phish");
  await key("Escape");
  expect(el.querySelector(".sg-sessions-rename")).toBeNull();
  expect(document.activeElement).toBe(rows()[1]);

  await key("F2");
  one<HTMLInputElement>(".sg-sessions-rename").value = "phishing of 31 Jan";
  await key("Enter");
  expect(last()).toMatchObject({
    method: "rename",
    params: { session_id: "id-phish", name: "phishing of 31 Jan" },
  });
  await answer({ result: "Renamed phish to phishing of 31 Jan." });
  expect(el.querySelector(".sg-sessions-rename")).toBeNull();
  expect(document.activeElement).toBe(rows()[1]);
});

test("a refused name stays in its field; an empty one, and the same, send nothing", async () => {
  await show();
  await selectRow(1);
  await press("Rename");
  const field = () => one<HTMLInputElement>(".sg-sessions-rename");
  field().value = "  ";
  await key("Enter");
  expect(status()).toContain("The name is empty");
  field().value = "new";
  await key("Enter");
  await answer({ error: "No connection." });
  expect(status()).toBe("No connection.");
  expect(field().value).toBe("new");
  field().value = "phish";
  await key("Enter");
  expect(model.requests).toHaveLength(1);
  expect(el.querySelector(".sg-sessions-rename")).toBeNull();
});

test("a session is extended by a day, a week, or another time within bounds", async () => {
  await show();
  await selectRow(1);
  await press("Extend");
  expect(document.activeElement).toBe(button("1 day"));
  expect(button("1 day").title).toBe("until 2026-02-01 21:41:07 UTC");
  await press("7 days");
  expect(last()).toMatchObject({ method: "extend", params: { session_id: "id-phish", ttl: 604_800 } });
  await answer({ result: "phish now lives until 2026-02-07 21:41:07 UTC." });
  expect(document.activeElement).toBe(button("Extend"));

  await press("Extend");
  await type(".sg-sessions-amount", "0.05");
  await press("Set");
  expect(status()).toContain("5 minutes to 366 days");
  await type(".sg-sessions-amount", "1,5");
  expect(el.textContent).toContain("until 2026-01-31 23:11:07 UTC, earlier than it expires now");
  await press("Set");
  expect(last()?.params).toEqual({ session_id: "id-phish", ttl: 5400 });
});

test("deleting asks first, with Keep it as the default; afterwards the next row is selected", async () => {
  await show();
  await selectRow(0);
  await key("Delete");
  const dialog = one("[role=alertdialog]");
  const words = document.getElementById(dialog.getAttribute("aria-labelledby") ?? "")?.textContent;
  expect(words).toBe("Delete triage for good, with 3 turns and 2 files?");
  expect(document.activeElement).toBe(button("Keep it"));
  await press("Keep it");
  expect(document.activeElement).toBe(rows()[0]);
  await key("Delete");
  await key("Escape");
  expect(model.requests).toHaveLength(0);

  await press("Delete");
  await press("Delete for good");
  expect(last()).toMatchObject({ method: "delete", params: { session_id: "id-triage" } });
  await act(async () => {
    model.change("sessions", [PHISH, OLD]);
    model.reply({ result: "Deleted triage with 3 turns and 2 files. old case is current now." });
    await Promise.resolve();
  });
  expect(status()).toContain("old case is current now");
  expect(model.get("selected")).toBe("id-phish");
  expect(document.activeElement).toBe(rows()[0]);
});

test("a question about one session is not kept for another that is selected meanwhile", async () => {
  await show();
  await selectRow(0);
  await key("Delete");
  await act(() => model.change("selected", "id-phish"));
  expect(el.querySelector("[role=alertdialog]")).toBeNull();
  await act(() => model.change("selected", "id-triage"));
  expect(el.querySelector("[role=alertdialog]")).toBeNull();
});

test("a second action while one runs is not begun", async () => {
  await show();
  await selectRow(1);
  await press("Resume");
  await press("Open");
  await press("Delete");
  await press("Refresh");
  expect(model.requests.map((request) => request.method)).toEqual(["resume"]);
});

test("what is opened is shown within, and taken out when it closes", async () => {
  const removed = vi.fn();
  const child = document.createElement("p");
  child.textContent = "a picture";
  const manager = {
    get_model: vi.fn(async (id: string) => ({ id })),
    create_view: vi.fn(async () => ({ el: child, remove: removed })),
  };
  await show({}, manager);
  await selectRow(1);
  await key("Enter");
  expect(last()).toMatchObject({ method: "open", params: { session_id: "id-phish" } });
  await act(async () => {
    model.change("opened_id", "id-phish");
    model.change("opened", "IPY_MODEL_abc");
    model.reply({ result: { said: "Opened phish.", code: "x" } });
    await Promise.resolve();
  });
  await vi.waitFor(() => expect(one(".sg-sessions-opened").textContent).toBe("Session phishClosea picture"));
  expect(manager.get_model).toHaveBeenCalledWith("abc");
  await press("Close");
  expect(last()?.method).toBe("close");
  await act(() => model.change("opened", null));
  expect(el.querySelector(".sg-sessions-opened")).toBeNull();
  expect(removed).toHaveBeenCalledOnce();
});

test("where no widget can be shown within, the line that shows it stands there", async () => {
  await show({}, { get_model: async () => ({}) }); // marimo's has no create_view
  await selectRow(1);
  await press("Open");
  await act(async () => {
    model.change("opened", "IPY_MODEL_abc");
    model.reply({
      result: { said: "Opened phish.", code: "SecGemini().resume_session('id-phish').visualize()" },
    });
    await Promise.resolve();
  });
  expect(one(".sg-sessions-problem code").textContent).toBe(
    "SecGemini().resume_session('id-phish').visualize()",
  );
});

test("an empty list says how to begin", async () => {
  await show({ sessions: [], total: 0 });
  expect(el.textContent).toContain("There is no session yet. Ask something in a %%secgemini cell");
  expect(count()).toBe("0 sessions");
});

test("more sessions than are listed are counted", async () => {
  await show({ total: 4321 });
  expect(count()).toBe("the newest 3 of 4,321 sessions");
});

test("of many sessions 200 are drawn, the rest on demand; a selected one always", async () => {
  const sessions = Array.from({ length: 500 }, (_, n) => session(`session ${n}`));
  await show({ sessions, total: 500 });
  expect([rows().length, count()]).toEqual([200, "500 sessions"]);
  await act(() => model.change("selected", "id-session 300"));
  expect(rows()).toHaveLength(301);
  expect(one("table").getAttribute("aria-rowcount")).toBe("501");
  await press("Show 199 more");
  expect(rows()).toHaveLength(500);
  expect(document.activeElement).toBe(rows()[301]);
});

test("markup in names, descriptions and errors is text", async () => {
  const evil = '<img src=x onerror="alert(1)"><b>x</b>';
  await show({ sessions: [session(evil, { description: evil })], destination: evil });
  await selectRow(0);
  await press("Resume");
  await answer({ error: evil });
  expect(el.querySelector("img")).toBeNull();
  expect(status()).toBe(evil);
});

test("keys stay in the widget, and ending the view leaves nothing", async () => {
  await show();
  const heard: string[] = [];
  const listen = (event: KeyboardEvent) => heard.push(event.key);
  document.addEventListener("keydown", listen);
  await key("d", rows()[0]);
  document.removeEventListener("keydown", listen);
  expect(heard).toEqual([]);
  stop?.();
  expect(model.listening).toBe(0);
  expect(el.childNodes).toHaveLength(0);
});

test.each([
  ["2026-01-31T21:53:07+00:00", "soon, in 12 min", true],
  ["2026-01-31T21:41:17+00:00", "soon, in 1 min", true],
  ["2026-01-31T21:41:00+00:00", "expired", true],
  ["2026-02-01T20:41:07+00:00", "in 23 h", false],
  ["2026-02-07T21:41:07+00:00", "in 7 days", false],
  ["", "not known", false],
  ["nonsense", "not known", false],
])("expiry of %s reads %s", (iso, words, soon) => {
  expect(expiry(iso, NOW)).toEqual({ words, soon });
});

test("times that are none are nothing", () => {
  expect([fullTime(""), shortTime("x", NOW)]).toEqual(["", ""]);
});

test("names are sorted as people count", () => {
  const order = { column: "name", descending: false } as const;
  const names = listed([session("case 10"), session("Case 9"), session("case 2")], "", order).map(
    (s) => s.name,
  );
  expect(names).toEqual(["case 2", "Case 9", "case 10"]);
});
