"""Parses HTML into what a reader sees. Imported only where HTML is read: Beautiful Soup is slow to load."""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup
from bs4.element import Tag

_UNREAD = {
    *(
        "script",
        "style",
        "template",
        "noscript",
        "head",
        "iframe",
        "object",
        "embed",
        "svg",
        "math",
        "canvas",
    ),
    *("audio", "video", "select", "datalist", "dialog", "textarea", "input", "button", "nav", "title"),
}
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(hidden|collapse)|"
    r"(font-size|opacity)\s*:\s*0(?![.\d]*[1-9])",
    re.IGNORECASE,
)

# A start tag ends open elements of these names, as far out as the first of those (HTML standard, 13.1.2.4:
# end tags may be left out). Python's parser does not know that.
_ENDS: dict[str, tuple[set[str], set[str]]] = {
    "li": ({"li"}, {"ul", "ol", "menu"}),
    "dt": ({"dt", "dd"}, {"dl"}),
    "dd": ({"dt", "dd"}, {"dl"}),
    "td": ({"td", "th"}, {"tr", "table"}),
    "th": ({"td", "th"}, {"tr", "table"}),
    "tr": ({"tr"}, {"table"}),
    **dict.fromkeys(("thead", "tbody", "tfoot"), ({"thead", "tbody", "tfoot", "tr"}, {"table"})),
}


class _Page(BeautifulSoup):
    """HTML in which elements end where the standard says, if their end tags are left out."""

    def handle_starttag(self, name: str, *arguments: Any, **more: Any) -> Tag | None:  # noqa: ANN401 - passed on
        ended, outside = _ENDS.get(name, (frozenset[str](), frozenset[str]()))
        last: str | None = None
        for open_ in reversed(self.tagStack) if ended else ():
            if open_.name in outside:
                break
            last = open_.name if open_.name in ended else last
        while last and self.currentTag is not None:
            reached = self.currentTag.name
            self.handle_endtag(reached)
            if reached == last:
                break
        return super().handle_starttag(name, *arguments, **more)


def visible_tree(text: str) -> tuple[str | None, BeautifulSoup]:
    """The page's title, and the page without scripts, styles, controls and what hides itself.

    An element hides itself by an attribute or its own style; rules of style sheets are not followed.
    """
    page = _Page(text, "html.parser")
    title = page.title.get_text() if page.title else None
    for unseen in page.find_all(lambda tag: tag.name in _UNREAD or _is_hidden(tag)):
        unseen.decompose()
    return title, page


def _is_hidden(tag: Tag) -> bool:
    style = tag.get("style")
    return (
        tag.has_attr("hidden")
        or tag.get("aria-hidden") == "true"
        or (isinstance(style, str) and _HIDDEN.search(style) is not None)
    )
