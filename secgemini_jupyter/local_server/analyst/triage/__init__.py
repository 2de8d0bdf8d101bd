"""What stands out in a file of each kind: facts with the place where they are, no verdicts."""
