"""What holds where a cell does not say, and who said so."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell


def test_config_goes_before_the_project_s_file(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.secgemini]\nfeedback = true\n")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    listed = shell.run_line_magic("secgemini", "config")
    assert listed.loc["feedback", ["value", "source"]].to_list() == ["True", str(tmp_path / "pyproject.toml")]
    assert listed.loc["short_errors", "source"] == "default"
    shell.run_line_magic("config", "SecGeminiMagics.feedback = False")
    listed = shell.run_line_magic("secgemini", "config")
    assert listed.loc["feedback", ["value", "source"]].to_list() == ["False", "%config"]
