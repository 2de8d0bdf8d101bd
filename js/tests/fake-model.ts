import type { AnyModel } from "@anywidget/types";

/** A request as it leaves the view. */
export interface Request {
  kind: string;
  uuid: string;
  method: string;
  params: Record<string, unknown>;
}

type Callback = (...args: never[]) => void;

/** An anywidget model without a kernel: a test reads `requests` and answers with `reply` or `change`. */
export class FakeModel<T extends object> {
  readonly requests: Request[] = [];
  readonly listeners = new Map<string, Set<Callback>>();

  constructor(private traits: T) {}

  get<K extends keyof T>(key: K): T[K] {
    return this.traits[key];
  }

  on(event: string, callback: Callback): void {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(callback));
  }

  off(event: string, callback: Callback): void {
    this.listeners.get(event)?.delete(callback);
  }

  send(content: Request): void {
    this.requests.push(content);
  }

  /** The kernel sets a trait. */
  change<K extends keyof T & string>(key: K, value: T[K]): void {
    this.traits = { ...this.traits, [key]: value };
    this.emit(`change:${key}`);
  }

  /** The kernel answers a request; the newest when none is named. */
  reply(answer: { result?: unknown; error?: string }, uuid = this.requests.at(-1)?.uuid): void {
    this.emit("msg:custom", { kind: "secgemini-reply", uuid, ...answer }, []);
  }

  emit(event: string, ...args: unknown[]): void {
    for (const callback of this.listeners.get(event) ?? [])
      (callback as (...args: unknown[]) => void)(...args);
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((count, callbacks) => count + callbacks.size, 0);
  }

  asModel(): AnyModel<T> {
    return this as unknown as AnyModel<T>;
  }
}
