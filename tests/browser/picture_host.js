// The kernel's side of a picture, on the page: answers from `stage.content`, late or not at all where a test says so.
// Evaluated after fake_model.js.
Object.assign(stage, {
  content: { details: {}, hits: {}, index: null, copies: {}, file: "" },
  fails: {},
  holds: false,
  waiting: [],

  bytes(text) {
    return new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  },
  set(name, value) {
    this.traits[name] = value;
    this.emit(`change:${name}`);
  },
  change(name, value) {
    this.set(name, value);
  },
  send(request) {
    this.requests.push(request);
    if (this.holds) this.waiting.push(request);
    else queueMicrotask(() => this.answer(request));
  },
  release() {
    this.holds = false;
    for (const request of this.waiting.splice(0)) this.answer(request);
  },
  answer(request) {
    const error = this.fails[request.method];
    const { buffers = [], ...rest } = error ? { error } : this.replies[request.method].call(this, request.params);
    this.emit("msg:custom", { kind: "secgemini-reply", uuid: request.uuid, ...rest }, buffers);
  },
  replies: {
    read({ messages }) {
      const { details } = this.content;
      return { result: { details: messages.map((message) => ({ ...(details[message] ?? details["*"]), message })) } };
    },
    read_index() {
      return { result: { seq: this.content.seq ?? 0 }, buffers: [this.bytes(this.content.index)] };
    },
    search({ text }) {
      const found = Int32Array.from(this.content.hits[text] ?? []);
      return { result: { count: found.length }, buffers: [new DataView(found.buffer)] };
    },
    copy({ message, part }) {
      const text = this.content.copies[part === undefined ? message : `${message}.${part}`] ?? `exact ${message}`;
      return { result: { text, is_cut: false } };
    },
    export({ format }) {
      const name = `triage.${format === "jsonl" ? "jsonl" : "md"}`;
      const bytes = new TextEncoder().encode(this.content.file);
      return { result: { name, mime_type: "text/plain" }, buffers: [new DataView(bytes.buffer)] };
    },
    refresh: () => ({ result: null }),
  },
  event(seq, text) {
    this.emit("msg:custom", { kind: "secgemini-event", seq }, [this.bytes(text)]);
  },
});
