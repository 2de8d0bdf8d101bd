// An anywidget model without a kernel, for one page with one widget: `stage.show(bundle, traits)`, then read
// `stage.requests` and answer with `stage.reply({result})` or `stage.change(trait, value)`.
window.stage = {
  requests: [],
  listeners: {},
  traits: {},

  get(name) {
    return this.traits[name];
  },
  /** Tells of a new value, as Backbone does. */
  set(name, value) {
    if (this.traits[name] === value) return;
    this.traits[name] = value;
    this.emit(`change:${name}`);
  },
  save_changes() {},
  on(event, callback) {
    (this.listeners[event] ??= new Set()).add(callback);
  },
  off(event, callback) {
    this.listeners[event]?.delete(callback);
  },
  send(content) {
    this.requests.push(content);
  },

  emit(event, ...args) {
    for (const callback of this.listeners[event] ?? []) callback(...args);
  },
  change(name, value) {
    this.traits[name] = value;
    this.emit(`change:${name}`);
  },
  reply(answer) {
    this.emit("msg:custom", { kind: "secgemini-reply", uuid: this.requests.at(-1).uuid, ...answer }, []);
  },

  /** As anywidget does it: the module comes from a blob's address. */
  async show(bundle, traits) {
    this.traits = traits;
    const address = URL.createObjectURL(new Blob([bundle], { type: "text/javascript" }));
    const { render } = (await import(address)).default;
    const signal = new AbortController().signal;
    this.end = await render({ model: this, el: document.querySelector("#widget"), signal });
  },
};
