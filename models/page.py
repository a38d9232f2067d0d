"""A page: one HTML file that needs nothing else, in the style that all of them share, light and dark."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
$head<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6675; --line: #dfe3e8; --card: #f5f7f9;
  --page: #fff; --blue: 0, 114, 178; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e7ec; --soft: #9aa5b3; --line: #333b46;
  --card: #1e242c; --page: #14181d; --blue: 86, 180, 233; } figure svg { filter: brightness(1.25); } }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 70rem; background: var(--page);
  color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 3rem 0 .6rem; }
.lead { font-size: 1.12rem; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.6rem 0; }
.cards div { flex: 1 1 11rem; padding: .8rem 1rem; border-radius: .5rem; background: var(--card); }
.cards b { display: block; font-size: 1.6rem; line-height: 1.3; }
p { max-width: 54rem; }
small { font-weight: 400; }
small, .cards span, figcaption, .note { color: var(--soft); font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem 1.1rem .28rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: baseline; }
th { color: var(--soft); font-weight: 600; }
td small { margin-left: .4em; }
.facts td { white-space: normal; overflow-wrap: anywhere; }
figure { margin: 1rem 0 0; }
figure svg { max-width: 100%; height: auto; display: block; }
pre { padding: .8rem 1rem; border-radius: .5rem; background: var(--card); overflow-x: auto; }
$style
</style>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
""")


def write_page(path: Path, title: str, parts: Iterable[str], style: str, head: str = "") -> None:
    """Write a page to `path`.

    Args:
        path: where to.
        title: in words, not yet escaped.
        parts: HTML, one part below the other; empty ones are left out.
        style: rules of its own, after those that all pages share.
        head: what else its head says, HTML.
    """
    body = "\n".join(filter(None, parts))
    page = _PAGE.substitute(title=escape(title), body=body, style=style.strip(), head=head)
    path.write_text(page, encoding="utf-8", errors="replace")  # names of files may be any bytes


def opening(lead: str, cards: Iterable[tuple[str, str, str]]) -> str:
    """What a reader wants first: sentences, HTML, and figures, each with its name above and more below it."""
    boxes = "".join(
        f"<div><span>{escape(name)}</span><b>{value}</b><span>{more}</span></div>"
        for name, value, more in cards
    )
    return f'<p class="lead">{lead}</p>\n<div class="cards">{boxes}</div>'


def html_table(head: Sequence[str], lines: Iterable[tuple[str, Sequence[str]]]) -> str:
    """A table from (class of the line, cells); cells are HTML already."""
    top = f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>\n" if head else ""
    rows = "\n".join(
        f'<tr class="{kind}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>' for kind, cells in lines
    )
    return f'<div class="scroll"><table>\n{top}{rows}\n</table></div>'


def fact_table(facts: Mapping[str, object]) -> str:
    """A table of facts, by name."""
    return html_table((), [("facts", (escape(name), escape(str(value)))) for name, value in facts.items()])
