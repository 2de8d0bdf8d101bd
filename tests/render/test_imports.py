"""Loading the renderers is cheap: parsers, sanitiser, highlighter and tables load when something is shown."""

from __future__ import annotations

import subprocess
import sys


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys\n"
        "from secgemini_jupyter.render import answer, live, terminal, tree\n"
        "heavy = {'markdown_it', 'nh3', 'pygments', 'rich', 'pandas', 'IPython', 'publicsuffixlist'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
