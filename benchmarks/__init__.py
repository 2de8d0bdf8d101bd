"""Our client beside the official SDK and the bare libraries, against the local server: `python -m benchmarks`."""
