/** What the chat says. */
export const text = {
  title: (session: string) => `Chat in session ${session}`,
  log: "Conversation",
  you: "You",
  turn: (index: number) => (index ? `Turn ${index}` : "Prompt that was not sent"),
  waiting: "Asked. Waiting for the first message…",
  earlier: (count: string) => `${count} before these: see history() or visualize().`,
  below: "New answer below",

  session: (name: string) => `Session ${name}, choose another`,
  sessionsList: "Sessions",
  newSession: "New session",
  loading: "Reading the list…",
  here: "shown now",
  retained: "retained",
  notRetained: "not retained",

  emptyHead: "Ask about your evidence",
  emptyBody: (destination: string, retained: boolean) =>
    `Prompts go to ${destination}. Prompts and answers are ${retained ? "retained by the service" : "not retained"}. ` +
    "The conversation is saved with this notebook and in history().",
  tryOne: "For example:",
  /** The local analyst can answer them too. */
  examples: [
    "What happened in the attached logs?",
    "Who logged in, and who failed?",
    "Pull the indicators out of this: hxxps://login-update[.]example/a.ps1, seen from 203[.]0[.]113[.]7",
  ],

  prompt: "Prompt",
  promptHint: "Ask, or paste what you found",
  keys: "Enter sends, Shift+Enter makes a new line",
  send: "Send",
  stop: "Stop",
  empty: "The prompt is empty. Write it, then send it.",
  sending: "Sending…",
  answering: "Answering…",
  complete: "Answer complete",
  failed: "The turn failed: what to do stands in it",
  stopped: "Stopped; what had arrived is kept",
  notSent: "Stopped before it was sent",
  asking: (name: string, session: string) =>
    `Waiting for you${session && ` in session ${session}`}: approve ${name}?`,
  busy: "A turn is running: wait for it, or stop it. Your text is kept.",
  stopElsewhere: "This turn was asked in a cell: ■ in the toolbar stops it.",

  unsaved:
    "What is said from now on is in history(), but this page does not get it into the saved notebook: " +
    "run the chat in a cell again to keep it there too.",
  attach: "Attach files",
  dropNow: "Drop to attach to this session",
  attached: "Attached files",
  attachedMore: (count: string) => `and ${count} more`,
  detach: (name: string) => `Detach ${name}`,
  detached: (name: string) => `${name} is detached`,
  underWay: "A file is still on its way. Send when it is attached, or cancel it.",

  retry: "Retry",
  retryTitle: "Ask the same again, as a new turn",
  helpful: "Helpful",
  notHelpful: "Not helpful",
  rate: (index: number) => `Rate turn ${index}`,
  rated: (index: number) => `Sent for turn ${index}`,
  comment: "Comment on your rating",
  commentHint: "Add a comment (optional)",
  sendComment: "Send comment",

  mayRun: "Run on this machine?",
  mayConfirm: "The service asks",
  inSession: (name: string) => `in session ${name}`,
  noArguments: "No arguments.",
  expires: (time: string) => `Denied at ${time} if nobody answers.`,
  approve: "Approve",
  deny: "Deny",
  approved: "Approved",
  denied: "Denied",
};
