/** The traits of `AttachWidget`, spelled as in Python; `tests/widgets/test_attach.py` compares the two. */
export interface AttachTraits {
  session_id: string;
  session_name: string;
  /** By this kernel, its files with it. */
  deleted: boolean;
  /** Where files go, in words: "Sec-Gemini, api.secgemini.google". */
  destination: string;
  retained: boolean;
  max_bytes: number;
  files: AttachedFile[];
  state: "idle" | "uploading" | "failed";
}

/** A file of the session, its index in the list being what `detach_file` takes. */
export interface AttachedFile {
  name: string;
  size: number;
  sha256: string;
  mime_type: string;
  content_type_label: string;
  /** The service's sha256 is that of what was sent from this kernel. */
  verified: boolean;
}

export const TRAITS = [
  "session_id",
  "session_name",
  "deleted",
  "destination",
  "retained",
  "max_bytes",
  "files",
  "state",
] as const;
