"""Whether a cell shows something that is not ours: several threads may ask at once, and nothing of it stays."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import pytest
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.magics.others import OURS, Others


def standing(shell: InteractiveShell) -> list[str]:
    """The methods in whose place something stands."""
    owners = ((sys.stdout, "write"), (sys.stderr, "write"), (shell.display_pub, "publish"))
    return [name for owner, name in owners if name in vars(owner)]


@pytest.mark.parametrize("is_shared", [True, False], ids=["one shell", "two shells"])
def test_overlapping_blocks_leave_nothing_behind(shell: InteractiveShell, is_shared: bool) -> None:
    before = standing(shell)
    first = Others()
    second = first if is_shared else Others()
    for _ in range(sys.getrecursionlimit()):  # each would be a call deeper
        one, other = ExitStack(), ExitStack()
        one.enter_context(first.watched(shell))
        other.enter_context(second.watched(shell))
        one.close()
        assert len(standing(shell)) == 3
        print("still counted")
        assert second.count
        other.close()
    assert standing(shell) == before
    print("still shown")


def test_what_was_counted_before_a_block_of_another_thread_began_still_counts(shell: InteractiveShell) -> None:
    """Else its outputs would be cleared with the answer's."""
    others = Others()
    with others.watched(shell):
        print("mine")
        with others.watched(shell):
            pass
        assert others.count
    with others.watched(shell):
        assert not others.count


def test_our_own_outputs_do_not_count(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    others = Others()
    with others.watched(shell):
        shell.display_pub.publish({"text/plain": "an answer"}, transient={"display_id": f"{OURS}1"})
        count = others.count
        shell.display_pub.publish({"text/plain": "a chart"}, transient={"display_id": "chart"})
        assert others.count > count
    assert "a chart" in capsys.readouterr().out


def test_a_wrapper_of_somebody_else_is_left_where_it_is(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = Others()
    with ExitStack() as stack:
        with others.watched(shell):
            ours = shell.display_pub.publish
            publish = shell.display_pub.publish
            theirs = lambda *args, **options: publish(*args, **options)  # noqa: E731
            shell.display_pub.publish = theirs
            stack.callback(setattr, shell.display_pub, "publish", publish)
        assert shell.display_pub.publish is theirs
        shell.display_pub.publish({"text/plain": "passed on"})
        assert not others.count
    assert shell.display_pub.publish is ours
    with others.watched(shell):
        shell.display_pub.publish({"text/plain": "counted"})
        assert others.count
    assert "publish" not in vars(shell.display_pub), "what stayed from before is gone, too"
