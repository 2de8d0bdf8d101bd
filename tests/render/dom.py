"""HTML as its elements, and what every output of `render/` must keep to. Written without looking at `render.html`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

TAGS = set(
    "a blockquote br code del details div em h3 h4 h5 h6 hr img li ol p pre s span strong summary table tbody td th"
    " thead tr ul".split()
)
VOID = {"br", "hr", "img"}
# Properties of an inline style that JupyterLab 4.6 keeps in an untrusted notebook, as far as we use them.
KEPT_BY_LAB = set(
    "background border border-bottom border-collapse border-left border-radius border-top cursor font-family font-size"
    " font-style font-weight height line-height list-style margin max-height max-width opacity overflow overflow-wrap"
    " overflow-x padding padding-left table-layout text-align vertical-align white-space width".split()
)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""
    path: tuple[str, ...] = ()


@dataclass
class Dom(HTMLParser):
    elements: list[Element] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs}, path=tuple(e.tag for e in self.open))
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data
        for element in self.open:
            element.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl!r}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data!r}")

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]


def parse(markup: str) -> Dom:
    dom = Dom()
    dom.feed(markup)
    dom.close()
    assert not dom.open, f"not closed: {[element.tag for element in dom.open]}"
    return dom


def assert_harmless(markup: str) -> Dom:
    """The allow-list, element by element: returns the DOM for further assertions."""
    dom = parse(markup)
    for element in dom.elements:
        assert element.tag in TAGS, element
        for name, value in element.attributes.items():
            match element.tag, name:
                case _, "style":
                    assert_plain_style(value)
                case "div", "class":
                    assert value == "mathjax_ignore tex2jax_ignore", "nothing but what keeps TeX away"
                case "a", "href":
                    assert re.match(r"(?i)https?://[a-z0-9.-]+(:\d+)?([/?#]|\Z)|mailto:[^/?]+\Z", value), value
                case "a", "rel":
                    assert value == "noopener noreferrer"
                case "ol", "start":
                    assert value.isdigit(), value
                case "details", "open":
                    pass
                case "img", "src":
                    assert re.fullmatch(r"data:image/(png|gif|jpeg|webp);base64,[A-Za-z0-9+/=]+", value), value[:80]
                case "img", "alt":
                    pass
                case _:
                    raise AssertionError(f"{name}={value!r} on <{element.tag}>")
        if element.tag == "a":
            assert element.attributes.keys() == {"href", "rel"}, element
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ud800-\udfff]", dom.text)
    return dom


def assert_plain_style(style: str) -> None:
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        assert name in KEPT_BY_LAB or declaration == "font-variant-numeric:tabular-nums", declaration
        assert re.fullmatch(r"[#\w .%,()-]+", value), declaration
        assert not re.search(r"var\(|url|expression|inherit|currentcolor|fixed\b|absolute", value.lower()), declaration
