"""Untrusted content → safe HTML and terminal text.

Everything written by a model, a log, a file name or a user is shown through here, once, on its way out:
`answer` for a whole answer, `live` while it streams, `payloads` for rich types, `markdown` and `text` for less.
"""
