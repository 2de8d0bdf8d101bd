/** What widgets say. Errors: what happened, then what to do. */

export const rpcText = {
  timeout: (milliseconds: number) =>
    `No answer from the kernel within ${milliseconds / 1000} s: it may be busy with a cell, or gone. ` +
    "Wait for the cell to end, or run this cell again after a restart.",
  disconnected: "The kernel is not connected. Reconnect or restart it, then run this cell again.",
  closed: "The view was closed before the kernel answered.",
};

export const feedbackText = {
  title: (label: string, session: string) => `Feedback on ${label}, session ${session}`,
  helpful: "Helpful",
  notHelpful: "Not helpful",
  commentLabel: "Comment, sent with your rating",
  commentHint: "Comment (optional)",
  send: "Send",
  reportBug: "Report a bug",
  bugLabel: "What went wrong, and what did you expect?",
  sendReport: "Send report",
  cancel: "Cancel",
  sending: "Sending…",
  sent: (label: string) => `Sent for ${label}`,
  reportSent: "Bug report sent",
  chooseFirst: "Choose Helpful or Not helpful: the comment goes along with it.",
  already: (label: string) => `Already sent for ${label}. Add a comment to send more.`,
  emptyReport: "The report is empty. Say what went wrong, then send it.",
  sentList: "What was sent",
  earlier: (count: number) => `and ${count} earlier`,
  bug: "Bug report",
};

/** An ISO time as UTC, short: hours, minutes, seconds. The full one belongs in a `title`. */
export function utcTime(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : `${time.toISOString().slice(11, 19)} UTC`;
}
