/** What AttachWidget says. */

import { count, size } from "../shared/format";

export const text = {
  title: (session: string) => `Files of session ${session}`,
  drop: "Drop evidence here, or",
  dropNow: "Let go to attach, or",
  each: (limit: number) => `up to ${size(limit)} each`,
  hint: "Logs, reports, captures, samples: this session's answers may use them. Each hash is compared.",
  deleted: (session: string) =>
    `Session ${session} was deleted, and its files with it. For the current one, run attach() in a cell.`,
  retained: "retained by the service",
  notRetained: "not retained",
  list: "Attached files",
  verified: "hash verified",
  verifiedHow: "The sha256 of the bytes sent from here is the service's",
  unverified: "not compared",
  unverifiedHow: "This file was not sent from this kernel: its hash is what the service says",
  copied: (name: string) => `sha256 of ${name} copied`,
  notCopied:
    "The browser does not let a widget copy here. Select the hash in the saved notebook, or read session.files.",
  detach: (name: string) => `Detach ${name}`,
  detaching: (name: string) => `Detaching ${name}…`,
  detached: (name: string) => `${name} is detached`,
  total: (files: { size: number }[]) =>
    `${count(files.length, "file")}, ${size(files.reduce((sum, file) => sum + file.size, 0))}`,
};
