"""The analyst's tools, one subject a module. Imports of libraries stay inside the functions that run in a worker."""
