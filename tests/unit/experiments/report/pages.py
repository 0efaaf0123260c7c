"""What every page of a report has to be."""

import html.parser

VOID = {"meta", "link", "img", "br", "hr"}


class Checker(html.parser.HTMLParser):
    """Notes unbalanced tags, elements without a text for blind readers, and everything that would be loaded."""

    def __init__(self):
        super().__init__()
        self.open, self.problems, self.loaded, self.text, self.ids, self.targets = [], [], [], [], set(), set()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img" and not found.get("alt"):
            self.problems.append("image without alt")
        if tag == "svg" and "aria-hidden" not in found and not found.get("aria-label"):
            self.problems.append("figure without label")
        if tag == "script":
            self.problems.append("script")
        self.ids |= {found["id"]} if "id" in found else set()
        for name in ("src", "href"):
            target = found.get(name, "")
            if target.startswith("#"):
                self.targets.add(target[1:])
            elif target and not target.startswith("data:"):
                self.loaded.append(target)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"unbalanced {tag}")

    def handle_data(self, data):
        self.text.append(data)


def checked(page):
    checker = Checker()
    checker.feed(page)
    assert checker.problems == []
    assert checker.open == []
    assert checker.loaded == []
    assert checker.targets <= checker.ids
    assert "url(" not in page
    return " ".join(" ".join(checker.text).split())
