"""A few broken real files for every tool that reads one; `make fuzz` has minutes for it."""

from __future__ import annotations

import random

import msgspec
import pytest

from secgemini_jupyter.local_server.analyst.sniff import sniff
from secgemini_jupyter.local_server.analyst.tool import ToolFailure
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.wishes import Wish
from tests.local_server.analyst.corpus import corpus
from tests.local_server.analyst.fuzzing import arguments_of, inputs, mutated, reading_tools

INPUTS = 2


@pytest.mark.parametrize("name", reading_tools())
def test_a_broken_file_gives_a_result_or_a_sentence(name: str) -> None:
    corpus("oletools"), corpus("zat"), corpus("mail-parser")
    tool = tools()[name]
    arguments = msgspec.convert(arguments_of(tool), tool.arguments)
    source = inputs(name, random.Random(f"7 {name}"), seeds=8)
    for _, (path, content) in zip(range(INPUTS), source, strict=False):
        try:
            result = tool.run(arguments, {"x": content})
        except (ToolFailure, MemoryError):
            continue
        except Exception as error:
            pytest.fail(f"{name} raised {error!r} on {path.name}, broken with this seed")
        assert isinstance(msgspec.json.encode(result), bytes)
        assert isinstance(tool.answer(result, Wish()), str)


def test_whatever_comes_has_a_kind() -> None:
    corpus("oletools")
    chance = random.Random(3)
    for _, (_, content) in zip(range(60), inputs("archive_list", chance), strict=False):
        assert sniff(content)["kind"]


def test_the_same_seed_breaks_alike_and_breaks() -> None:
    content = bytes(range(256)) * 4
    first = [mutated(content, random.Random(n)) for n in range(20)]
    assert first == [mutated(content, random.Random(n)) for n in range(20)]
    assert all(each != content for each in first[:5]) or len({*first}) > 15
