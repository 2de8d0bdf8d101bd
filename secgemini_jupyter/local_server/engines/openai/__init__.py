"""Any chat model behind an OpenAI-compatible endpoint, with the analyst's tools and the session's local ones.

What the model writes is untrusted text, and what it reads of files, logs and names is data. No tool here can change
anything: those of the analyst read what is attached, in worker processes; local tools run at the client, which asks
its user. So the worst that an instruction in a file can have a model do is to say something wrong, or to ask for a
local tool; numbers and names that no tool result holds are listed beside its answer, by us and not by the model.
"""
