"""`%secgemini fix`: what failed in a cell is shown, confirmed, and asked about."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from IPython.core.error import StdinNotImplementedError, UsageError

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.magics import cell
from secgemini_jupyter.magics.caching import check_may_ask
from secgemini_jupyter.magics.commands.base import Command, destination
from secgemini_jupyter.magics.options import arg, only
from secgemini_jupyter.magics.question import Question

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics
    from secgemini_jupyter.magics.failures import Failure

__all__ = ["COMMANDS"]


def fix(magics: SecGeminiMagics, options: Namespace) -> Any:
    from secgemini_jupyter.magics.failures import prompt_for

    failure = failed_cell(magics, options.number)
    cell.check_out(options.out)
    check_may_ask(magics, "fix")
    prompt, _ = magics.redactor.text(prompt_for(failure, versions()))
    show(magics, prompt, options)
    if not options.yes:
        confirm()
    return cell.ask_question(magics, options, Question(prompt))


def failed_cell(magics: SecGeminiMagics, number: int | None) -> Failure:
    """The cell to explain.

    Raises:
        UsageError: there is none, or nothing in it to explain.
    """
    failures = magics.failures
    failure = failures.last() if number is None else failures.get(number)
    if failure is None:
        if number is None:
            raise UsageError("%secgemini fix: no cell has failed in this kernel. Run the cell, then fix.")
        kept = ", ".join(map(str, failures.numbers)) or "none"
        raise UsageError(f"%secgemini fix: no failure of In[{number}] is known. Known: {kept}.")
    if failure.advice:
        others = [each for each in failures.numbers if (known := failures.get(each)) and not known.advice]
        hint = f" %secgemini fix {others[-1]} explains In[{others[-1]}]." if others else ""
        what = f"In[{failure.number}] has no error to explain ({failure.title}): {failure.advice}."
        raise UsageError(one_line(f"%secgemini fix: {what}{hint}"))
    return failure


def versions() -> dict[str, str]:
    import platform

    from IPython.core.release import version

    return {"Python": platform.python_version(), "IPython": version}


def show(magics: SecGeminiMagics, prompt: str, options: Namespace) -> None:
    """What will be sent, before anything is."""
    from secgemini_jupyter.magics.view import is_terminal, publish
    from secgemini_jupyter.render.answer import LISTING, Bundle
    from secgemini_jupyter.render.html import QUIET, WRAPPED, join, tag
    from secgemini_jupyter.render.html import shown as output
    from secgemini_jupyter.render.text import count, defanged

    shown = defanged(prompt)
    size = len(prompt.encode())
    head = one_line(f"To be sent to {where(magics, options)}: {count(size, 'byte')}. No variables are read for it.")
    if shown != prompt:
        head += " Indicators are shown defanged and sent as they are."
    text = f"{head}\n\n{shown}\n"
    if is_terminal(magics.shell):
        print(text)
        return
    markup = output(join(tag("div", head, style=QUIET), tag("pre", shown, style=WRAPPED)))
    publish(Bundle({"text/plain": text, "text/html": markup}, LISTING))


def where(magics: SecGeminiMagics, options: Namespace) -> str:
    kernel = magics.kernel
    if options.no_log:
        return f"{destination(kernel, None, options.model or '')}, a session of its own without retention"
    name = options.session or kernel.current_name
    session = None if options.new else kernel.get(name)
    retained = "" if session is None else f" ({'retained' if session.can_log else 'not retained'})"
    which = "a new session" if session is None else f"session {session.name}"
    return f"{destination(kernel, session, options.model or '')}, {which}{retained}"


def confirm() -> None:
    """Ask whether to send.

    Raises:
        UsageError: no, or nobody can be asked.
    """
    try:
        said = input("Send this? [y/N] ")
    except (StdinNotImplementedError, EOFError, OSError):
        raise UsageError("%secgemini fix: nobody can be asked here. Nothing was sent. Add --yes to send it.") from None
    if said.strip().lower() not in ("y", "yes"):
        raise UsageError("%secgemini fix: nothing was sent.")


COMMANDS = (
    Command(
        "fix",
        "explain why a cell failed; shows what would be sent, then asks",
        fix,
        [
            arg("number", nargs="?", type=int, metavar="n", help="the n of In[n]; the last failed cell when left out"),
            arg("--yes", action="store_true", help="send without asking"),
            *only(cell.OPTIONS, "--session", "--new", "--model", "--timeout", "--no-log"),
            cell.OUT,
        ],
    ),
)
