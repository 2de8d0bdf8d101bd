"""Messages of every kind that the wire may bring."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st

from secgemini_jupyter.models import Message, MessageType, Role, State, Usage, read_message

few = settings(max_examples=40, deadline=None)
"""Making tables is slow for a property, and slower on a busy machine."""

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
ids = st.sampled_from(["a", "b", "c", "3713", ""]) | text
counts = st.integers(0, 2**40) | st.just(2**63)
usages = st.builds(Usage, counts, counts, counts, counts, counts, counts)
times = st.just(0.0) | st.integers(-(10**6), 10**6).map(lambda ms: 1_760_000_000 + ms / 1000) | st.just(1e300)


def members(enum: type[Role | MessageType | State]) -> st.SearchStrategy[Role | MessageType | State]:
    return st.sampled_from(list(enum)) | text.map(enum)


known = st.builds(
    Message,
    id=ids, parent_id=ids, turn=text, group=text, actor=text, role=members(Role), created_at=times,
    timestamp=st.integers(0, 2**40), message_type=members(MessageType), state=members(State),
    title=st.none() | text, content=st.none() | text, icon=st.none() | text, text_color=st.none() | text,
    mime_type=st.none() | st.sampled_from(["text/plain", "image/png", "application/json", "sec-gemini/new"]) | text,
    status_code=st.sampled_from([200, 206, 404, 500]) | st.integers(-(2**70), 2**70), status_message=text,
    usage=st.none() | usages,
)  # fmt: skip

fields = st.dictionaries(
    st.sampled_from([*(name for name in Message.__struct_fields__ if name != "unknown"), "~unknown", "trace"]) | text,
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | text | st.lists(st.integers(), max_size=2),
    max_size=8,
)
odd = fields.map(lambda value: read_message(json.dumps(value).encode()))
messages = known | odd
