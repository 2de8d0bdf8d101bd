/** What the picture of a session says. Errors: what happened, then what to do. */

import { count } from "../shared/format";

export const kindText = ["turn", "actor", "calls made together", "tool call", "message"];

export const filterText = {
  /** The choice for messages without an actor, a state. */
  none: "none",
};

export const pictureText = {
  title: (session: string) => `Picture of session ${session}`,
  ofTable: "Picture of a table of messages",
  search: "Search in messages",
  searchHint: "Search",
  previous: "Previous match (Shift+Enter)",
  next: "Next match (Enter)",
  messages: (shown: number, all: number) =>
    shown === all ? count(all, "message") : `${shown.toLocaleString("en")} of ${count(all, "message")}`,
  match: (number: number, all: number) =>
    `${number.toLocaleString("en")} of ${count(all, "match", "matches")}`,
  searching: "Searching…",
  meanwhile: "The kernel is busy: titles were searched so far, the rest follows.",
  labelsOnly: (reason: string) => `Only titles were searched. ${reason}`,
  quick: "Show only",
  filters: { type: "Type", actor: "Actor", role: "Role", state: "State", status: "Status" },
  filterBy: (facet: string, chosen: number) =>
    chosen ? `${facet}: ${chosen} chosen` : `Filter by ${facet.toLowerCase()}`,
  more: (rest: number) => `and ${rest.toLocaleString("en")} more: search for them`,
  clear: "Clear",
  clearTitle: "Clear search and filters",
  openAll: "Open all",
  closeAll: "Close all",
  refresh: "Read the session again",
  refreshed: "The session was read again.",
  tree: "Messages of the session",
  nothing: "Nothing matches.",
  empty: "No messages yet. Ask in a cell:",
  emptyExample: "%%secgemini\nWho logged in?",
  loading: "Reading the session…",
  broken: (words: string) =>
    `This picture cannot be drawn: ${words}. Run the cell again; if that does not help, report a bug.`,
  running: "A turn is running.",
  split: "Width of the tree",
  height: "Height of the picture",
};

export const detailText = {
  region: "Message",
  hint: "Choose a line to read it here.",
  keys: "↑ ↓ move · → ← open and close · Shift and Ctrl choose several · * opens all beside · letters find",
  loading: "Reading…",
  failed: (words: string) => `Not read. ${words}`,
  retry: "Try again",
  copy: "Copy",
  copyTable: "Copy as TSV",
  copyTitle: "Copy the content exactly as it came",
  copied: "Copied exactly as it came.",
  copiedCut: "Copied the first part, exactly as it came: the whole is longer than 1 MB. Export it instead.",
  noClipboard: "The browser refused the clipboard. Export the message instead.",
  previous: "Previous line",
  next: "Next line",
  selected: (messages: number) => `${count(messages, "message")} selected`,
  inside: (nodes: number) => count(nodes, "line"),
  rest: (rows: number) => `${count(rows, "further row")} are in the session, not shown here: export it.`,
  moreRows: (rows: number) => `Show ${count(rows, "more row")}`,
  sortedBy: (column: string, way: string) => `Sorted by ${column}, ${way}`,
  asTable: "As a table",
  moments: (events: number, lanes: number) => `${count(events, "event")} in ${count(lanes, "lane")}`,
  graph: (nodes: number, edges: number) => `${count(nodes, "node")}, ${count(edges, "edge")}`,
};

export const exportText = {
  menu: "Export",
  copyMarkdown: "Copy selection as Markdown",
  copyJson: "Copy selection as JSON Lines",
  selectedMarkdown: "Save selection as Markdown",
  selectedJson: "Save selection as JSON Lines",
  allMarkdown: "Save all as Markdown",
  allJson: "Save all as JSON Lines",
  running: "Writing the file…",
  copied: (messages: number) => `${count(messages, "message")} copied.`,
  done: (name: string) => `Saved as ${name}.`,
};

export const overviewText = {
  label: "Timeline, messages in order of time",
  nowhere: "nothing chosen",
  unknown: "No message says when it was sent.",
  tools: "tools",
  others: (actors: number) => count(actors, "other"),
  summary: (from: string, to: string, lanes: string, gaps: number) =>
    `From ${from} to ${to}. Lanes: ${lanes}.${gaps ? ` ${count(gaps, "idle gap")} shortened.` : ""}`,
  gap: (time: string) => `${time} idle, shortened`,
};
