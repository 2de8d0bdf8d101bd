import { rpcText } from "./strings";

/** What calls need of an anywidget model. */
export interface Channel {
  on(event: "msg:custom", callback: (content: unknown, buffers: DataView[]) => void): void;
  off(event: "msg:custom", callback: (content: unknown, buffers: DataView[]) => void): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBufferView[]): void;
}

export interface Reply {
  result: unknown;
  buffers: DataView[];
}

export interface Rpc {
  /**
   * Runs `method` in the kernel. Rejects with the kernel's one-line refusal, or with `NoAnswer` when no reply came in
   * time (milliseconds, where another time than the connection's is given).
   */
  call(method: string, params: object, buffers?: ArrayBufferView[], timeout?: number): Promise<Reply>;
  close(): void;
}

/** The kernel is busy or away: nobody knows whether the call was heard, and it may be heard yet. */
export class NoAnswer extends Error {}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

/** Calls from a view to `widgets/rpc.py`. Times in milliseconds. */
export function connect(channel: Channel, timeout = 30_000): Rpc {
  const waiting = new Map<string, Waiting>();

  function take(uuid: string): Waiting | undefined {
    const call = waiting.get(uuid);
    waiting.delete(uuid);
    clearTimeout(call?.timer);
    return call;
  }

  // Every view of a model hears every reply; one that is not ours, or came too late, is not in the map.
  function receive(content: unknown, buffers: DataView[]): void {
    const reply = content as { kind?: unknown; uuid?: unknown; result?: unknown; error?: unknown } | null;
    if (reply?.kind !== "secgemini-reply" || typeof reply.uuid !== "string") return;
    const call = take(reply.uuid);
    if (typeof reply.error === "string") call?.reject(new Error(reply.error));
    else call?.resolve({ result: reply.result, buffers: buffers ?? [] });
  }

  channel.on("msg:custom", receive);
  return {
    call(method, params, buffers = [], within = timeout) {
      const uuid = newUuid();
      return new Promise((resolve, reject) => {
        const expire = () => take(uuid)?.reject(new NoAnswer(rpcText.timeout(within)));
        waiting.set(uuid, { resolve, reject, timer: setTimeout(expire, within) });
        try {
          channel.send({ kind: "secgemini-request", uuid, method, params }, undefined, buffers);
        } catch {
          take(uuid)?.reject(new NoAnswer(rpcText.disconnected));
        }
      });
    },
    close() {
      channel.off("msg:custom", receive);
      for (const uuid of [...waiting.keys()]) take(uuid)?.reject(new Error(rpcText.closed));
    },
  };
}

/** `crypto.randomUUID` is missing where Jupyter is served over plain http. */
export function newUuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
