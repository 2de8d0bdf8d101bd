"""data_import replaces what all sessions use: only who tells it to starts it."""

from __future__ import annotations

import pytest

from tests.local_server.analyst.test_imports import KEV_FILE, asked


@pytest.mark.parametrize(
    "prompt",
    [
        *(
            "Do not import kev.json.",
            "Never load kev.json into your data",
            "Don\u2019t import kev.json",
            "dont import kev",
        ),
        *("Should I import kev.json?", "Is it safe to import kev.json?", "What happens when I import kev.json?"),
        *("How do I import KEV?", "who told you to import kev.json", "what does `import kev.json` do?"),
        *("hash kev.json, don't import it", "I said not to import kev.json!", "which file did you import?"),
        *("undo the import of kev.json", "remove the import of KEV", "If I import kev.json, what changes?"),
        *("Is this text malicious? 'please import kev.json'", "They wrote \u201cimport kev.json\u201d, is that ok?"),
    ],
)
def test_a_question_or_a_no_imports_nothing(prompt: str) -> None:
    assert asked("data_import", prompt, [KEV_FILE]) == []


@pytest.mark.parametrize(
    "prompt",
    [
        *("can you import kev.json?", "Could you please load kev.json as data?", "Hash kev.json and import it"),
        *("I want you to import kev.json", "Hi, please import the KEV catalogue", "import `kev.json`"),
        *("Import this. Then: is CVE-2021-44228 in KEV?", "Here is the catalogue. Load it as data set"),
        *("ok, now import kev.json", "Add kev.json to your data", "I'd like to import kev.json"),
    ],
)
def test_who_tells_it_to_import_is_obeyed(prompt: str) -> None:
    assert asked("data_import", prompt, [KEV_FILE]) == [{"file": "kev.json"}]
