"""What goes in with a prompt: files, variables, and what must not go along with them."""
