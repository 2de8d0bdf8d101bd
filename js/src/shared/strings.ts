/** What all widgets say; what one says alone stands in its folder. Errors: what happened, then what to do. */

export const rpcText = {
  timeout: (milliseconds: number) =>
    `No answer from the kernel within ${milliseconds / 1000} s: it may be busy with a cell, or gone. ` +
    "Wait for the cell to end, or run this cell again after a restart.",
  disconnected: "The kernel is not connected. Reconnect or restart it, then run this cell again.",
  closed: "The view was closed before the kernel answered.",
};
