"""Check that every link and picture inside the built site leads to a file, every #part to an element of it.

The notebook must have drawn its picture: a kernel without a way to show one drops it without a word.

python scripts/check_site.py docs/_build/html
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Pages that Sphinx makes for scripts, whose links are filled in by the browser.
_SKIPPED = ("genindex.html", "search.html", "_static")
_NOTEBOOK = Path("tutorials", "python.html")


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element's id and the address that it names."""
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in ("href", "src") and value and tag != "link":
                self.links.append(value)


def main(arguments: list[str]) -> int:
    """Print what is broken; 0 where nothing is, 1 where something is, 2 where there is no site."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    site = Path(arguments[0]).resolve()
    pages = {path: Page(path) for path in sorted(site.rglob("*.html")) if _is_checked(path.relative_to(site))}
    if not pages:
        print(f"There is no page in {site}: build the site first (bash scripts/docs.sh).", file=sys.stderr)
        return 2
    broken = [
        f"{path.relative_to(site)}: {link}"
        for path, page in pages.items()
        for link in page.links
        if not _leads_somewhere(path, link, pages)
    ]
    notebook = pages.get(site / _NOTEBOOK)
    if notebook is not None and not any(link.endswith(".png") for link in notebook.links):
        broken.append(f"{_NOTEBOOK}: no picture came out of the notebook")
    print("\n".join(broken), end="\n" if broken else "")
    print(f"{len(pages)} pages, {sum(len(page.links) for page in pages.values())} links, {len(broken)} broken")
    return 1 if broken else 0


def _is_checked(name: Path) -> bool:
    return name.parts[0] not in _SKIPPED


def _leads_somewhere(path: Path, link: str, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return False
    return not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].ids


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
