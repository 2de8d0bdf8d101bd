"""What a digest or password hash can be, and whether a common word gives it."""
