import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { NoAnswer, type Reply } from "../src/shared/rpc";
import { CHUNK, type Upload, Uploader } from "../src/shared/upload";

type Params = Record<string, unknown>;

/** A kernel that keeps pieces as `widgets/uploads.py` does; `before` may stand in for its answer, or break it. */
class FakeKernel {
  readonly calls: { method: string; params: Params }[] = [];
  readonly pieces = new Map<string, Map<number, Uint8Array>>();
  readonly attached: { name: string; sha256: string }[] = [];
  before: (method: string, params: Params) => unknown = () => undefined;
  inFlight = 0;
  mostInFlight = 0;

  async call(method: string, params: object, buffers: ArrayBufferView[] = []): Promise<Reply> {
    const given = params as Params;
    this.calls.push({ method, params: given });
    this.inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    try {
      await Promise.resolve();
      const instead = await this.before(method, given);
      return { result: instead ?? this.answer(method, given, buffers), buffers: [] };
    } finally {
      this.inFlight -= 1;
    }
  }

  count(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  private begun = new Map<string, Params>();

  private answer(method: string, params: Params, buffers: ArrayBufferView[]): unknown {
    const upload = params.upload as string;
    const pieces = this.pieces.get(upload);
    if (method === "upload_begin") {
      const known = this.attached.findIndex(
        (file) => file.name === params.name && file.sha256 === params.sha256,
      );
      if (known >= 0) return { known, same_content: null, missing: [] };
      const other = this.attached.find((file) => file.sha256 === params.sha256);
      if (other && !params.anyway) return { known: null, same_content: other.name, missing: [] };
      this.begun.set(upload, params);
      const here = pieces ?? new Map<number, Uint8Array>();
      this.pieces.set(upload, here);
      const missing = [];
      for (let offset = 0; offset < (params.size as number); offset += CHUNK)
        if (!here.has(offset)) missing.push(offset);
      return { known: null, same_content: null, missing };
    }
    if (method === "upload_cancel") this.pieces.delete(upload);
    if (method === "upload_chunk") {
      const piece = buffers[0] as Uint8Array;
      pieces?.set(params.offset as number, piece);
      return { lost: !pieces };
    }
    if (method !== "upload_finish") return null;
    if (!pieces) return { state: "lost" };
    const hash = createHash("sha256");
    for (const [, piece] of [...pieces].sort(([a], [b]) => a - b)) hash.update(piece);
    const { name, sha256 } = this.begun.get(upload) as { name: string; sha256: string };
    const ours = hash.digest("hex");
    if (ours !== sha256) return { state: "failed", error: `sha256 ${ours} differs` };
    this.attached.push({ name, sha256 });
    return { state: "attached", error: "", file_idx: this.attached.length - 1 };
  }
}

let kernel: FakeKernel;
let uploader: Uploader;
let uploads: Upload[];
let said: string[];
let seen: string[];
let told: string[];

beforeEach(() => {
  kernel = new FakeKernel();
  [uploads, said, seen, told] = [[], [], [], []];
  uploader = new Uploader(
    kernel,
    () => ({ id: "s1", limit: 10 * CHUNK }),
    (now, news) => {
      uploads = now;
      if (news) said.push(news.words);
      for (const { state, words: line } of now) {
        if (seen.at(-1) !== state) seen.push(state);
        if (line) told.push(line);
      }
    },
    1,
  );
});

afterEach(() => void vi.restoreAllMocks());

function file(size: number, name = "auth.log"): File {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index += 1) bytes[index] = (index * 31 + (index >> 11)) % 256;
  return new File([bytes], name, { type: "text/plain" });
}

const settled = () =>
  vi.waitFor(() => {
    const over = uploads.every(({ state }) => state === "failed" || state === "known" || state === "asking");
    expect(over && said.length > 0).toBe(true);
  }, 5000);

test("a file is hashed, goes up in pieces of 1 MiB, four at a time, and is gone from the list when attached", async () => {
  const evidence = file(6 * CHUNK + 7);
  uploader.add([evidence]);
  await settled();
  expect(kernel.calls[0]).toMatchObject({
    method: "upload_begin",
    params: {
      session_id: "s1",
      name: "auth.log",
      size: 6 * CHUNK + 7,
      mime_type: "text/plain",
      anyway: false,
    },
  });
  expect(kernel.attached).toHaveLength(1);
  expect(kernel.attached[0]?.sha256).toBe(
    createHash("sha256")
      .update(new Uint8Array(await evidence.arrayBuffer()))
      .digest("hex"),
  );
  expect(kernel.count("upload_chunk")).toBe(7);
  expect(kernel.mostInFlight).toBe(4);
  expect(seen).toEqual(["queued", "hashing", "uploading", "storing"]);
  expect(uploads).toEqual([]);
  expect(said).toEqual(["auth.log is attached, hash verified"]);
});

test("an empty file is attached without a piece", async () => {
  uploader.add([file(0)]);
  await settled();
  expect(kernel.count("upload_chunk")).toBe(0);
  expect(kernel.attached).toHaveLength(1);
});

test("files go up one after another, in the order they were added", async () => {
  uploader.add([file(10, "a"), file(11, "b")]);
  uploader.add([file(12, "c")]);
  await vi.waitFor(() => expect(kernel.attached).toHaveLength(3));
  expect(kernel.attached.map(({ name }) => name)).toEqual(["a", "b", "c"]);
  expect(kernel.mostInFlight).toBe(1);
});

test("progress counts what was acknowledged", async () => {
  const parts: number[] = [];
  kernel.before = (method) => {
    if (method === "upload_chunk") parts.push(uploads[0]?.part ?? -1);
  };
  uploader.add([file(8 * CHUNK)]);
  await settled();
  expect(parts[0]).toBe(0);
  expect(parts.at(-1)).toBeGreaterThan(0.3);
  expect(parts).toEqual([...parts].sort((a, b) => a - b));
});

test("a cancelled upload stops sending, is cancelled in the kernel, and the next file goes on", async () => {
  kernel.before = (method, params) => {
    if (method === "upload_chunk" && params.offset === 4 * CHUNK)
      void uploader.cancel(params.upload as string);
  };
  uploader.add([file(10 * CHUNK, "large"), file(5, "small")]);
  await vi.waitFor(() => expect(kernel.attached.map(({ name }) => name)).toEqual(["small"]));
  expect(said[0]).toBe("large was cancelled");
  expect(kernel.count("upload_chunk")).toBeLessThan(10);
  expect(kernel.count("upload_cancel")).toBe(1);
});

test("a cancelled upload keeps nobody waiting for a kernel that does not answer", async () => {
  kernel.before = (method, params) =>
    method === "upload_begin" && params.name === "a" ? new Promise(() => {}) : undefined;
  uploader.add([file(10, "a"), file(10, "b")]);
  await vi.waitFor(() => expect(kernel.count("upload_begin")).toBe(1));
  await uploader.cancel(uploads[0]?.id ?? "");
  await vi.waitFor(() => expect(kernel.attached.map(({ name }) => name)).toEqual(["b"]));
});

test("cancelling what waits in the queue sends nothing at all", async () => {
  uploader.add([file(10, "a"), file(10, "b")]);
  await uploader.cancel(uploads[1]?.id ?? "");
  await vi.waitFor(() => expect(kernel.attached).toHaveLength(1));
  expect(kernel.calls.filter(({ params }) => params.name === "b")).toEqual([]);
});

test("a cancel on the way to the service is passed on, and its line stays until the kernel has called it back", async () => {
  let polls = 0;
  kernel.before = (method, params) => {
    if (method === "upload_cancel") return { state: "sending" };
    if (method !== "upload_finish") return undefined;
    polls += 1;
    if (polls === 1) void uploader.cancel(params.upload as string);
    return { state: polls < 3 ? "sending" : "cancelled" };
  };
  uploader.add([file(10)]);
  await settled();
  expect(polls).toBe(3);
  expect(said).toEqual(["auth.log was cancelled"]);
  expect(uploads).toEqual([]);
});

test("after a cut only what is missing is sent again", async () => {
  let cuts = 2;
  kernel.before = (method, params) => {
    if (method === "upload_chunk" && params.offset === 3 * CHUNK && cuts-- > 0) throw new NoAnswer("cut");
  };
  uploader.add([file(6 * CHUNK)]);
  await settled();
  expect(kernel.attached).toHaveLength(1);
  expect(seen).toContain("waiting");
  expect(kernel.count("upload_begin")).toBe(3);
  const first = kernel.calls.filter(({ params }) => params.offset === 0);
  expect(first).toHaveLength(1);
});

test("a lost answer to the last call attaches nothing twice, and counts as attached", async () => {
  let lost = 1;
  const call = kernel.call.bind(kernel);
  kernel.call = async (method, params, buffers) => {
    const reply = await call(method, params, buffers);
    if (method === "upload_finish" && lost-- > 0) throw new NoAnswer("cut");
    return reply;
  };
  uploader.add([file(10)]);
  await settled();
  expect(kernel.attached).toHaveLength(1);
  expect(said).toEqual(["auth.log is attached, hash verified"]);
});

test("a kernel that forgot the upload gets it again, a kernel that forgets always does not", async () => {
  let forgets = 1;
  kernel.before = (method) => {
    if (method === "upload_finish" && forgets-- > 0) {
      kernel.pieces.clear();
      return { state: "lost" };
    }
    return undefined;
  };
  uploader.add([file(2 * CHUNK)]);
  await settled();
  expect(kernel.attached).toHaveLength(1);
  expect(kernel.count("upload_chunk")).toBe(4);

  said = [];
  forgets = 100;
  uploader.add([file(3 * CHUNK, "b")]);
  await settled();
  expect(uploads[0]).toMatchObject({ state: "failed", canRetry: true });
  expect(uploads[0]?.words).toContain("does not know this upload any more");
  expect(kernel.count("upload_finish")).toBeLessThan(10);
});

test("while the kernel does not answer the line says why, and after ten minutes it gives up", async () => {
  const now = vi.spyOn(performance, "now").mockReturnValue(0);
  kernel.before = () => {
    now.mockReturnValue(performance.now() + 100_000);
    throw new NoAnswer("No answer");
  };
  uploader.add([file(10)]);
  await settled();
  expect(seen).toEqual(["queued", "hashing", "waiting", "failed"]);
  expect(told.find((words) => words.includes("may be busy with a cell"))).toBeDefined();
  expect(uploads[0]?.words).toContain("did not answer for 10 minutes");
});

test("the same file is not sent again; the same content asks, and is attached or left out as told", async () => {
  uploader.add([file(10, "a")]);
  await settled();
  said = [];
  uploader.add([file(10, "a")]);
  await settled();
  expect(uploads[0]).toMatchObject({ state: "known", canRetry: false });
  expect(uploads[0]?.words).toContain("it was not sent again");
  uploader.dismiss(uploads[0]?.id ?? "");
  expect(uploads).toEqual([]);

  said = [];
  uploader.add([file(10, "b"), file(11, "c")]);
  await vi.waitFor(() => expect(kernel.attached.map(({ name }) => name)).toEqual(["a", "c"]));
  expect(uploads[0]).toMatchObject({ state: "asking", words: "The same content is attached already as a." });
  expect(kernel.count("upload_chunk")).toBe(2);
  uploader.attachAnyway(uploads[0]?.id ?? "");
  await vi.waitFor(() => expect(kernel.attached.map(({ name }) => name)).toEqual(["a", "c", "b"]));
});

test("a refusal is the kernel's line, and Try again begins anew", async () => {
  let refuse = true;
  kernel.before = (method) => {
    if (method === "upload_finish" && refuse) return { state: "failed", error: "The disk is full (507)." };
    return undefined;
  };
  uploader.add([file(10)]);
  await settled();
  expect(uploads[0]).toMatchObject({ state: "failed", words: "The disk is full (507).", canRetry: true });
  expect(said).toEqual(["auth.log: The disk is full (507)."]);
  refuse = false;
  uploader.retry(uploads[0]?.id ?? "");
  await vi.waitFor(() => expect(kernel.attached).toHaveLength(1));
  expect(kernel.count("upload_chunk")).toBe(1);
});

test("a file above the limit and a folder are told at once, and nothing is asked", async () => {
  const huge = file(1, "huge.bin");
  Object.defineProperty(huge, "size", { value: 10 * CHUNK + 1 });
  const log = file(1, "flows.jsonl");
  Object.defineProperty(log, "size", { value: 10 * CHUNK + 1 });
  uploader.add([huge, log], ["evidence"]);
  expect(uploads.map(({ name, state, canRetry }) => [name, state, canRetry])).toEqual([
    ["evidence", "failed", false],
    ["huge.bin", "failed", false],
    ["flows.jsonl", "failed", false],
  ]);
  expect(uploads[0]?.words).toContain("Add the files in it");
  expect(uploads[1]?.words).toBe("It has 10.5 MB, at most 10.5 MB are sent. Attach a part of it.");
  expect(uploads[2]?.words).toContain(
    "Attach a part of it, or, if it is JSON Lines, make it a logs table: %secgemini attach-logs PATH.",
  );
  await Promise.resolve();
  expect(kernel.calls).toEqual([]);
});

test("a file that cannot be read, or became shorter, says what to do", async () => {
  const gone = file(10, "gone");
  gone.slice = () =>
    ({ arrayBuffer: () => Promise.reject(new DOMException("", "NotReadableError")) }) as never;
  const short = file(10, "short");
  Object.defineProperty(short, "size", { value: 20 });
  uploader.add([gone, short]);
  await vi.waitFor(() => expect(uploads.map(({ state }) => state)).toEqual(["failed", "failed"]));
  for (const { words, canRetry } of uploads) {
    expect(words).toContain("cannot be read");
    expect(canRetry).toBe(true);
  }
  expect(kernel.calls).toEqual([]);
});

test("names are shown without tricks, and sent exactly, without folders", async () => {
  uploader.add([file(10, "C:\\evidence\\a\u202egpj.exe")]);
  expect(uploads[0]?.name).toBe("a⟨U+202E⟩gpj.exe");
  await settled();
  expect(kernel.attached[0]?.name).toBe("a\u202egpj.exe");
});

test("after its end a view is told nothing, and nothing more is sent", async () => {
  kernel.before = (method) => {
    if (method === "upload_chunk") uploader.close();
  };
  uploader.add([file(8 * CHUNK)]);
  await vi.waitFor(() => expect(kernel.count("upload_chunk")).toBeGreaterThan(0));
  const before = uploads;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(kernel.count("upload_chunk")).toBeLessThanOrEqual(4);
  expect(kernel.count("upload_finish")).toBe(0);
  expect(uploads).toBe(before);
});
