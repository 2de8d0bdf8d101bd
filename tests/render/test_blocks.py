"""A growing answer is cut where Markdown allows it, loses nothing, and costs linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.render.blocks import BLOCK_SIZE, Blocks

TEXT = st.lists(
    st.sampled_from(["word ", "\n", "\n\n", "```\n", "~~~\n", "- item\n", "  more\n", "# head\n", "| a |\n"])
)


@given(TEXT.map("".join), st.lists(st.integers(1, 9), min_size=1))
def test_pieces_of_any_size_give_the_same_blocks_as_the_whole(text: str, sizes: list[int]) -> None:
    whole, pieces = Blocks(size=40), Blocks(size=40)
    whole.feed(text)
    position = index = 0
    while position < len(text):
        pieces.feed(text[position : position + sizes[index % len(sizes)]])
        position += sizes[index % len(sizes)]
        index += 1
    assert (pieces.closed, pieces.tail) == (whole.closed, whole.tail)


@given(st.lists(st.sampled_from(["word ", "\n", "\n\n", "- item\n", "# head\n"])).map("".join))
def test_without_fences_nothing_is_added_or_lost(text: str) -> None:
    blocks = Blocks(size=40)
    blocks.feed(text)
    assert "".join([*blocks.closed, blocks.tail]).split() == text.split()


def test_a_block_ends_at_a_blank_line_before_something_new() -> None:
    blocks = Blocks(size=20)
    blocks.feed("1. one one one one one\n\n   still one\n\n2. two\n\nnew paragraph\nmore\n")
    assert blocks.closed == ["1. one one one one one\n\n   still one\n\n2. two\n\n"]
    assert blocks.tail == "new paragraph\nmore\n"


def test_a_blank_line_in_a_fence_closes_nothing() -> None:
    blocks = Blocks(size=20)
    blocks.feed("text\n\n```python\n" + "x = 1\n\n" * 8)
    assert blocks.closed == []


@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_a_fence_without_end_is_closed_and_opened_again(fence: str) -> None:
    blocks = Blocks(size=40)
    blocks.feed(f"{fence}python\n" + "x = 1\n" * 60)
    assert len(blocks.closed) >= 2
    assert all(block.startswith(f"{fence}python\n") and block.endswith(f"\n{fence}\n") for block in blocks.closed)
    assert "".join([*blocks.closed, blocks.tail]).count("x = 1") == 60


def test_a_line_without_end_is_cut() -> None:
    blocks = Blocks()
    blocks.feed("a" * 20 * BLOCK_SIZE)
    assert len(blocks.tail) <= 4 * BLOCK_SIZE
    assert "".join([*blocks.closed, blocks.tail]) == "a" * 20 * BLOCK_SIZE


@pytest.mark.parametrize("line", ["words and words and words\n", "word " * 10, "```\nx\n", "x\n\n"])
def test_ten_times_the_text_costs_about_ten_times_the_time(line: str) -> None:
    def cost(pieces: int) -> float:
        blocks = Blocks()
        start = time.process_time()
        for _ in range(pieces):
            blocks.feed(line)
        return time.process_time() - start

    cost(1_000)
    assert cost(50_000) < 10 * 4 * max(min(cost(5_000) for _ in range(3)), 0.002)
