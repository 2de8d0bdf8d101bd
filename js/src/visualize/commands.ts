import { copyText } from "../shared/clipboard";
import { download } from "./download";
import { type Host, words } from "./host";
import { detailText, exportText, pictureText } from "./strings";
import type { Selection } from "./use-selection";

export type Format = "markdown" | "jsonl";
export type Scope = "selected" | "all";

export interface Commands {
  save(format: Format, scope: Scope): void;
  copySelection(format: Format): void;
  refresh(): void;
}

/** What the toolbar's buttons have the kernel do; `say` tells how it went. */
export function commands(host: Host, selection: Selection, say: (words: string) => void): Commands {
  async function exported(format: Format, scope: Scope) {
    if (scope === "selected") selection.flush();
    say(exportText.running);
    const { result, buffers } = await host.call("export", { format, scope });
    return { ...result, bytes: buffers[0] };
  }

  const telling = (run: () => Promise<string>) => {
    run().then(say, (error) => say(words(error)));
  };

  return {
    save: (format, scope) =>
      telling(async () => {
        const file = await exported(format, scope);
        download(file.name, file.mime_type, file.bytes);
        return exportText.done(file.name);
      }),
    copySelection: (format) =>
      telling(async () => {
        const { bytes } = await exported(format, "selected");
        const copied = await copyText(new TextDecoder().decode(bytes));
        return copied ? exportText.copied(selection.messages.length) : detailText.noClipboard;
      }),
    refresh: () =>
      telling(async () => {
        await host.call("refresh", {});
        return pictureText.refreshed;
      }),
  };
}
