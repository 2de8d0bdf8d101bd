"""Archives, read in memory alone: nothing of them is ever written to disk."""
