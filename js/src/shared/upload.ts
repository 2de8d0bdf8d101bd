import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { wordsOf } from "./format";
import { NoAnswer, newUuid, type Rpc } from "./rpc";
import { safeName } from "./safe-text";
import { uploadText as text } from "./upload-text";

/** Bytes of one piece: `widgets/attaching.py` takes no other size. */
export const CHUNK = 2 ** 20;
/** Pieces on their way at a time. */
const WINDOW = 4;
/** Milliseconds until a call counts as lost; between two tries; until an upload without progress gives up. */
const PATIENCE = 10_000;
const FINISH_PATIENCE = 30_000;
const PAUSE = 1_000;
const GIVE_UP = 600_000;
/** Times in a row that the kernel may have forgotten what it was sent. */
const MAX_LOST = 3;

export type UploadState =
  | "queued"
  | "hashing" // the file is read and hashed, in the browser alone
  | "asking" // the same content is attached under another name
  | "uploading" // pieces go to the kernel
  | "waiting" // the kernel does not answer
  | "storing" // the kernel sends it to the service
  | "known" // it was attached already
  | "failed";

/** One file as a view shows it; what is attached is in the session's list, and not here any more. */
export interface Upload {
  readonly id: string;
  /** Cleaned for display. */
  readonly name: string;
  readonly size: number;
  readonly state: UploadState;
  /** 0 to 1, of reading or of uploading. */
  readonly part: number;
  readonly secondsLeft: number | undefined;
  /** What to tell the user beside the state; empty if there is nothing. */
  readonly words: string;
  readonly canRetry: boolean;
}

/** What happened to a file; `inRow`: its row says it too, so that it need only be heard. */
export interface Said {
  words: string;
  inRow: boolean;
}

interface Job extends Upload {
  file: File;
  /** The exact name, without the folders that a system may put before it. */
  filename: string;
  session: string;
  abort: AbortController;
  anyway: boolean;
  sent: boolean;
}

interface Begun {
  known: number | null;
  same_content: string | null;
  missing: number[];
}

interface Finished {
  state: "sending" | "attached" | "cancelled" | "failed" | "lost";
  error?: string;
}

/** An error whose words are for the user. */
class Failed extends Error {}

/** The browser's side of `widgets/uploads.py`: files go up one after another, each hashed before its first byte. */
export class Uploader {
  private jobs: Job[] = [];
  private running = false;
  private closed = false;

  /**
   * @param session The session that is shown when files are added, and what one file may have.
   * @param changed Told after every change, and sometimes with what happened in words.
   */
  constructor(
    private readonly rpc: Pick<Rpc, "call">,
    private readonly session: () => { id: string; limit: number },
    private readonly changed: (uploads: Upload[], said?: Said) => void,
    private readonly pause = PAUSE,
  ) {}

  /** `folders`: names of what was dropped and cannot be sent. */
  add(files: Iterable<File>, folders: Iterable<string> = []): void {
    const { id, limit } = this.session();
    for (const name of folders) this.enter(new File([], name), id, text.folder, false);
    for (const file of files)
      this.enter(file, id, file.size > limit ? text.tooLarge(file.name, file.size, limit) : "", false);
    void this.work();
  }

  /** Ends an upload, also one that is on its way to the service: the kernel detaches that one when it has arrived. */
  async cancel(id: string): Promise<void> {
    const job = this.find(id);
    if (!job) return;
    if (job.state !== "storing") {
      job.abort.abort();
      this.remove(job, text.saidCancelled(job.name));
      if (job.sent) await this.ask("upload_cancel", { upload: id }).catch(() => {});
      return;
    }
    this.set(job, { words: text.calledBack });
    await this.ask("upload_cancel", { upload: id }).catch(() => {});
  }

  /** Takes a line away that has nothing to do any more. */
  dismiss(id: string): void {
    const job = this.find(id);
    if (job) this.remove(job);
  }

  /** Starts again; what the kernel has is not sent a second time. */
  retry(id: string): void {
    const job = this.find(id);
    if (job?.state !== "failed" || !job.canRetry) return;
    this.set(job, { state: "queued", words: "", part: 0, canRetry: false });
    void this.work();
  }

  attachAnyway(id: string): void {
    const job = this.find(id);
    if (job?.state !== "asking") return;
    job.anyway = true;
    this.set(job, { state: "queued", words: "", part: 0 });
    void this.work();
  }

  /** The view ends: nothing is told any more. What was sent is kept by the kernel for some minutes. */
  close(): void {
    this.closed = true;
    for (const job of this.jobs) job.abort.abort();
    this.jobs = [];
  }

  private enter(file: File, session: string, words: string, canRetry: boolean): void {
    const filename = file.name.split(/[\\/]/).at(-1) ?? "";
    const job: Job = {
      id: newUuid(),
      name: safeName(filename),
      filename,
      file,
      size: file.size,
      session,
      state: words ? "failed" : "queued",
      part: 0,
      secondsLeft: undefined,
      words,
      canRetry,
      abort: new AbortController(),
      anyway: false,
      sent: false,
    };
    this.jobs.push(job);
    this.tell(words ? { words: text.saidFailed(job.name, words), inRow: true } : undefined);
  }

  private async work(): Promise<void> {
    if (this.running) return;
    this.running = true;
    for (let job = this.next(); job; job = this.next()) await this.run(job);
    this.running = false;
  }

  private next(): Job | undefined {
    return this.jobs.find((job) => job.state === "queued");
  }

  private async run(job: Job): Promise<void> {
    const { signal } = job.abort;
    // A cancelled upload must not keep the next one waiting for a kernel that does not answer.
    const cancelled = new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
    );
    try {
      this.set(job, { state: "hashing" });
      await Promise.race([this.hash(job).then((digest) => this.upload(job, digest)), cancelled]);
    } catch (error) {
      if (signal.aborted || this.closed) return;
      const words = wordsOf(error);
      this.set(
        job,
        { state: "failed", words, canRetry: true, secondsLeft: undefined },
        text.saidFailed(job.name, words),
      );
    }
  }

  private async upload(job: Job, digest: string): Promise<void> {
    let lost = 0;
    let since = performance.now();
    for (;;) {
      const before = job.part;
      try {
        const begun = await this.begin(job, digest);
        if (begun.known !== null) return this.known(job);
        if (begun.same_content !== null) return this.askAbout(job, begun.same_content);
        const arrived = await this.send(job, begun.missing);
        if (arrived && (await this.finish(job))) return;
        lost = job.part > before ? 1 : lost + 1;
        if (lost > MAX_LOST) throw new Failed(text.forgotten);
      } catch (error) {
        if (!(error instanceof NoAnswer) || job.abort.signal.aborted) throw error;
        if (job.part > before) since = performance.now();
        if (performance.now() - since > GIVE_UP) throw new Failed(text.gaveUp);
        this.set(job, { state: "waiting", words: text.waiting, secondsLeft: undefined });
        await new Promise((resolve) => setTimeout(resolve, this.pause));
      }
      job.abort.signal.throwIfAborted();
    }
  }

  private async begin(job: Job, digest: string): Promise<Begun> {
    return (await this.ask("upload_begin", {
      session_id: job.session,
      upload: job.id,
      name: job.filename,
      size: job.size,
      sha256: digest,
      mime_type: job.file.type,
      anyway: job.anyway,
    })) as Begun;
  }

  /** Sends what is missing; false if the kernel does not know the upload any more. */
  private async send(job: Job, missing: number[]): Promise<boolean> {
    const bytesOf = (offset: number) => Math.min(CHUNK, job.size - offset);
    const due = missing.reduce((sum, offset) => sum + bytesOf(offset), 0);
    const began = performance.now();
    let arrived = 0;
    let position = 0;
    let stopped = false;
    job.sent = true;
    const progress = () => {
      const seconds = (performance.now() - began) / 1000;
      const left = seconds > 1 ? ((due - arrived) * seconds) / Math.max(arrived, 1) : undefined;
      const part = job.size ? (job.size - due + arrived) / job.size : 1;
      this.set(job, { state: "uploading", words: "", part, secondsLeft: arrived ? left : undefined });
    };
    const pump = async () => {
      while (!stopped) {
        const offset = missing[position++];
        if (offset === undefined) return;
        try {
          const piece = new Uint8Array(await read(job.file, offset, offset + CHUNK));
          job.abort.signal.throwIfAborted();
          const reply = await this.ask("upload_chunk", { upload: job.id, offset }, [piece]);
          job.abort.signal.throwIfAborted();
          if ((reply as { lost: boolean }).lost) stopped = true;
        } catch (error) {
          stopped = true;
          throw error;
        }
        arrived += bytesOf(offset);
        if (!stopped) progress();
      }
    };
    progress();
    await Promise.all(Array.from({ length: WINDOW }, pump));
    return !stopped;
  }

  /** Waits until the service has it; false if the kernel does not know the upload any more. */
  private async finish(job: Job): Promise<boolean> {
    this.set(job, { state: "storing", part: 1, secondsLeft: undefined });
    for (;;) {
      const reply = await this.ask("upload_finish", { upload: job.id }, [], FINISH_PATIENCE);
      const { state, error } = reply as Finished;
      if (state === "lost") return false;
      if (state === "failed") throw new Failed(error ?? "");
      if (state === "attached") this.remove(job, text.saidAttached(job.name));
      if (state === "cancelled") this.remove(job, text.saidCancelled(job.name));
      if (state !== "sending") return true;
    }
  }

  private known(job: Job): void {
    // Its own pieces arrived, and only the answer did not.
    if (job.sent) this.remove(job, text.saidAttached(job.name));
    else this.set(job, { state: "known", words: text.known }, text.saidKnown(job.name));
  }

  private askAbout(job: Job, other: string): void {
    this.set(job, { state: "asking", words: text.sameContent(other) }, text.saidAsking(job.name, other));
  }

  /** The file's sha256, piece by piece: it is never in memory as a whole, and the page stays alive meanwhile. */
  private async hash(job: Job): Promise<string> {
    const digest = sha256.create();
    for (let offset = 0; offset < job.size; offset += CHUNK) {
      digest.update(new Uint8Array(await read(job.file, offset, offset + CHUNK)));
      job.abort.signal.throwIfAborted();
      this.set(job, { part: Math.min(offset + CHUNK, job.size) / job.size });
    }
    this.set(job, { part: 0 });
    return bytesToHex(digest.digest());
  }

  private async ask(
    method: string,
    params: object,
    buffers: ArrayBufferView[] = [],
    patience = PATIENCE,
  ): Promise<unknown> {
    return (await this.rpc.call(method, params, buffers, patience)).result;
  }

  private find(id: string): Job | undefined {
    return this.jobs.find((job) => job.id === id);
  }

  private set(job: Job, changes: Partial<Upload>, words?: string): void {
    Object.assign(job, changes);
    if (this.jobs.includes(job)) this.tell(words ? { words, inRow: true } : undefined);
  }

  private remove(job: Job, words?: string): void {
    this.jobs = this.jobs.filter((each) => each !== job);
    this.tell(words ? { words, inRow: false } : undefined);
  }

  private tell(said?: Said): void {
    if (!this.closed)
      this.changed(
        this.jobs.map((job) => ({ ...job })),
        said,
      );
  }
}

async function read(file: File, from: number, to: number): Promise<ArrayBuffer> {
  let bytes: ArrayBuffer;
  try {
    bytes = await file.slice(from, to).arrayBuffer();
  } catch {
    throw new Failed(text.unreadable);
  }
  if (bytes.byteLength !== Math.min(to, file.size) - from) throw new Failed(text.unreadable);
  return bytes;
}
