"""Logs tables (protocol sections 5.13 and 8): JSON Lines that arrive in chunks and become a table to be queried.

`table` is one of them, `loader` the process that fills those on disk, `catalog` what there is, `routes` the requests.
"""
