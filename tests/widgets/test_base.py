"""What all widgets share: traits that a browser may set, and what is shown where nobody looks."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Annotated, ClassVar

import msgspec
import pytest
import traitlets

from secgemini_jupyter.widgets.base import VIEW, SecGeminiWidget, in_notebook, is_attended

SHOWN = '<div class="mathjax_ignore tex2jax_ignore"><p>marked</p></div>'
"""No TeX is read in it."""


class Marked(SecGeminiWidget):
    """A widget whose marked rows a view may set."""

    _esm = "export default { render() {} }"
    _from_browser: ClassVar = {
        "marked": Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=3)]
    }
    marked = traitlets.List(traitlets.Int()).tag(sync=True)
    title = traitlets.Unicode("ours").tag(sync=True)

    def _fallback(self):
        return "<p>marked</p>", "marked"


@pytest.fixture
def kernel(monkeypatch):
    """A shell with a kernel whose user may be asked, or not."""

    def be(*, allow_stdin: bool) -> None:
        shell = SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=allow_stdin))
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))

    return be


def test_a_view_s_message_goes_to_the_shell_that_the_view_chose(monkeypatch):
    """Not to the one that sent last, which is the main one for a thread of ours: a cell may keep it busy."""
    import comm
    from ipykernel.comm.comm import BaseComm

    class Comm(BaseComm):
        def publish_msg(self, *_: object, **__: object) -> None:
            self._reply_subshell_id = None  # as ipykernel does it for what is sent from the main shell

    monkeypatch.setattr(comm, "create_comm", Comm)
    widget = Marked()
    widget.title = "new"
    assert widget.comm._reply_subshell_for({}, "the view's") == "the view's"
    assert Comm()._reply_subshell_for({}, "the view's") is None, "else the widget has no reason to do it"
    widget.close()


def test_a_view_sets_the_traits_that_it_may_and_no_other(front_end):
    widget = Marked()
    widget.set_state({"marked": [1, 2], "title": "theirs", "_esm": "alert(1)"})
    assert (widget.marked, widget.title) == ([1, 2], "ours")
    assert "alert" not in widget._esm


@pytest.mark.parametrize("value", [[-1], [1, 2, 3, 4], "12", [1.5], None, [True]])
def test_a_value_of_another_kind_changes_nothing(front_end, value, caplog):
    widget = Marked()
    widget.set_state({"marked": value})
    assert widget.marked == []
    assert "marked was refused" in caplog.text


def test_an_observer_that_fails_is_told_and_stops_nothing(front_end, caplog):
    widget = Marked()

    def fails(change):
        raise LookupError(f"no such row as {change.new}")

    widget.observe(fails, "marked")
    seen = []
    widget.observe(lambda change: seen.append(change.new), "title")
    widget.set_state({"marked": [7]})
    widget.marked, widget.title = [8], "next"
    assert (widget.marked, widget.title, seen) == ([8], "next", ["next"])
    assert "What observes marked failed" in caplog.text
    assert "in fails" in caplog.text
    assert "no such row as [7]" in caplog.text


def test_a_kernel_without_a_user_shows_the_static_form(front_end, kernel):
    """nbclient, papermill and `nbconvert --execute` run it: a page made of that would be blank without a network."""
    kernel(allow_stdin=False)
    assert in_notebook()
    data, _ = Marked()._repr_mimebundle_()
    assert data == {"text/html": SHOWN, "text/plain": "marked"}


def test_a_front_end_gets_the_live_view_and_the_static_form(front_end, kernel):
    kernel(allow_stdin=True)
    widget = Marked()
    data, _ = widget._repr_mimebundle_()
    assert data[VIEW]["model_id"] == widget.model_id
    assert data["text/html"] == SHOWN


def test_voila_gets_the_live_view_although_it_asks_nothing(front_end, kernel, monkeypatch):
    kernel(allow_stdin=False)
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.8")
    assert is_attended()


def test_a_plain_process_is_no_notebook():
    assert not in_notebook()
    assert is_attended()
