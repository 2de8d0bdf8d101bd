/** What uploads say. */

import { duration, size } from "./format";

/** Names that a log of JSON Lines may have. */
const LOG = /\.(jsonl|ndjson|json|log|txt)$/i;

export const uploadText = {
  choose: "choose files",
  queued: "waiting",
  hashing: "hashing",
  storing: "to the service…",
  stateKnown: "attached already",
  stateAsking: "attach?",
  stateFailed: "not attached",
  calledBack: "cancelled: it is detached as soon as it has arrived",
  waiting:
    "No answer from the kernel: it may be busy with a cell. The upload goes on when it answers. " +
    "If the kernel was restarted, run this cell again.",
  gaveUp: "The kernel did not answer for 10 minutes. Reconnect or restart it, then try again.",
  forgotten: "The kernel does not know this upload any more. Try again.",
  known: "Attached already, with the same content: it was not sent again.",
  sameContent: (other: string) => `The same content is attached already as ${other}.`,
  folder: "A folder cannot be attached. Add the files in it, or a zip of it.",
  unreadable:
    "It cannot be read: it changed, it moved, or it may not be opened. Copy it first, then add the copy.",
  tooLarge: (name: string, bytes: number, limit: number) =>
    `It has ${size(bytes)}, at most ${size(limit)} are sent. Attach a part of it${
      LOG.test(name) ? ", or, if it is JSON Lines, make it a logs table: %secgemini attach-logs PATH" : ""
    }.`,
  percent: (part: number) => `${Math.floor(100 * part)} %`,
  left: (part: number, seconds: number | undefined) =>
    seconds === undefined ? uploadText.percent(part) : `${uploadText.percent(part)} · ${whole(seconds)} left`,

  cancel: (name: string) => `Cancel ${name}`,
  dismiss: (name: string) => `Remove the line of ${name}`,
  retry: "Try again",
  attachAnyway: "Attach anyway",
  leaveOut: "Leave out",
  progress: (name: string) => `Upload of ${name}`,
  list: "Uploads",

  saidAttached: (name: string) => `${name} is attached, hash verified`,
  saidKnown: (name: string) => `${name} was attached already`,
  saidFailed: (name: string, words: string) => `${name}: ${words}`,
  saidCancelled: (name: string) => `${name} was cancelled`,
  saidAsking: (name: string, other: string) =>
    `${name}: the same content is attached as ${other}. Attach anyway or leave out?`,
};

function whole(seconds: number): string {
  return seconds < 60 ? `${Math.ceil(seconds)} s` : duration(seconds);
}
