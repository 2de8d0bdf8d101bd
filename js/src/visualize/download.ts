/** Gives the browser's person a file. */
export function download(name: string, mimeType: string, bytes: DataView | undefined): void {
  const content = bytes ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array();
  const address = URL.createObjectURL(new Blob([content as Uint8Array<ArrayBuffer>], { type: mimeType }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The download has begun by then; Firefox needs the address a moment longer.
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
