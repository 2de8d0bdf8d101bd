"""`{{name}}`: one pass, names alone; what is put in is never looked at again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.inputs.interpolation import interpolated

HOSTILE = "{{other}} {os.environ[SECRET]} {0} {{{{x}}}} %s $HOME"


def plain(_: str, value: object) -> str:
    return str(value)


def test_a_value_is_not_scanned_again() -> None:
    found = interpolated("a {{log}} b", {"log": HOSTILE, "other": "never"}, plain)
    assert found.text == f"a {HOSTILE} b"
    assert found.warnings == []


def test_single_braces_are_literal() -> None:
    prompt = '{"a": {"b": 1}} {x} {x!r} {x:>9} {{x.y}} {{x()}} {{x:d}} {{ }} {{}} {{1x}}'
    assert interpolated(prompt, {"x": "never"}, plain).text == prompt


def test_an_unknown_name_stays_and_is_told() -> None:
    found = interpolated("{{nope}} {{ x }}", {"x": 1}, plain)
    assert found.text == "{{nope}} {{ x }}"
    assert found.warnings == [
        "{{nope}} stays as it is: there is no variable nope.",
        "{{ x }} stays as it is: write {{x}}, without blanks.",
    ]


def test_an_expression_stays_and_is_told() -> None:
    prompt = "{{df.head()}} {{df['ip']}} {{1+1}} {{df.head()}} {{ }} {{x}} {{}} {x.y} {{a\nb}} {{ nope }}"
    found = interpolated(prompt, {"df": 1, "x": 2}, plain)
    assert found.text == prompt.replace("{{x}}", "2")
    why = " stays as it is: only a variable's name is replaced, like {{x}}."
    assert found.warnings == [f"{{{{{each}}}}}{why}" for each in ("df.head()", "df['ip']", "1+1", " nope ")]
    assert interpolated("{{x}}", {"x": "{{1+1}}"}, plain).warnings == [], "a value is not looked at"
    many = interpolated("".join(f"{{{{f({i})}}}}" for i in range(10_000)) + "{{" * 100_000, {}, plain)
    assert (len(many.warnings), many.warnings[-1]) == (6, "9995 more texts in double braces stay as they are.")


def test_names_of_python_and_ipython_are_no_variables() -> None:
    namespace = {"__builtins__": 1, "In": 2, "Out": 3, "_ih": 4, "get_ipython": 5, "_": "last"}
    found = interpolated("".join(f"{{{{{name}}}}}" for name in namespace), namespace, plain)
    assert found.text == "{{__builtins__}}{{In}}{{Out}}{{_ih}}{{get_ipython}}last"


def test_lines_stand_on_lines_of_their_own_and_once() -> None:
    found = interpolated("see {{t}} and {{t}}.", {"t": "1\n2"}, plain)
    assert found.text == "see \n1\n2\n and `t`."
    assert interpolated("{{t}}\nx", {"t": "1\n2"}, plain).text == "1\n2\nx"
    assert found.sizes == [("t", 3)]


def test_many_names_are_told_in_few_lines() -> None:
    found = interpolated("".join(f"{{{{n{i}}}}}" for i in range(10_000)), {}, plain)
    assert len(found.warnings) == 6
    assert found.warnings[-1].startswith("9995 more")


@given(st.text(), st.text(), st.dictionaries(st.sampled_from(["a", "bc", "é"]), st.text(), max_size=3))
def test_only_the_braces_of_a_known_name_change(before: str, after: str, namespace: dict[str, str]) -> None:
    """Around a value nothing else changes, but for line ends that set lines of data apart."""
    before, after = before.replace("{", "("), after.replace("}", ")").replace("{", "(")
    found = interpolated(before + "{{a}}" + after, namespace, plain).text
    if "a" not in namespace:
        assert found == before + "{{a}}" + after
    elif "\n" not in namespace["a"]:
        assert found == before + namespace["a"] + after
    else:
        assert found.startswith(before)
        assert found.endswith(after)
        assert namespace["a"] in found
