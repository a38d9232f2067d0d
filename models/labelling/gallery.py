"""The gallery: one HTML file that shows each sale, what its images show, and the sales that look alike."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from models.labelling.thumbnails import data_url
from models.page import write_page
from reco.labels import Scored

THUMBNAIL = 180, 240
"""Height and width of a picture, pixels; some 9 kB each."""
SHOWN = 4
"""Labels, and topics, that stand at a sale: those with the largest shares."""

_HEAD = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:;
  style-src 'unsafe-inline'; script-src 'unsafe-inline'">
"""
_STYLE = """
:root { --label: var(--blue); --topic: 0, 158, 115; }
* { box-sizing: border-box; }
body { max-width: 90rem; line-height: 1.45; }
h3, form { color: var(--soft); font-size: .85rem; }
form { position: sticky; top: 0; z-index: 1; padding: .6rem 0; background: var(--page); }
input { width: min(28rem, 100%); margin-right: .8rem; padding: .45rem .7rem; border-radius: .4rem;
  border: 1px solid var(--line); background: var(--card); color: var(--ink);
  font: inherit; font-size: 1rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.2rem;
  align-items: start; margin-top: .6rem; }
article { border-radius: .6rem; overflow: hidden; background: var(--card); scroll-margin-top: 4rem;
  content-visibility: auto; contain-intrinsic-size: auto 34rem; }
article:target { outline: 3px solid rgb(var(--label)); }
article[hidden] { display: none; }
article > div { padding: .8rem 1rem 1rem; }
h2 { font-size: 1rem; line-height: 1.3; margin: 0; overflow-wrap: anywhere; }
h2 + p { margin: 0; overflow-wrap: anywhere; }
h3 { margin: .8rem 0 .2rem; font-weight: 600; }
.picture { display: block; aspect-ratio: 4 / 3; background: var(--line) center / cover;
  color: var(--soft); }
.none { display: flex; flex-direction: column; justify-content: center; padding: 1rem; font-size: .85rem;
  text-align: center; overflow: hidden; overflow-wrap: anywhere; }
ul { list-style: none; margin: 0; padding: 0; }
.shares li { display: flex; justify-content: space-between; gap: .6rem; margin-top: .2rem;
  padding: .1rem .4rem; border-radius: .2rem; font-size: .85rem; font-variant-numeric: tabular-nums;
  background: linear-gradient(to right, rgba(var(--tint), .35) var(--share), rgba(var(--tint), .08) 0); }
.shares b { font-weight: 400; white-space: nowrap; }
.labels { --tint: var(--label); }
.topics { --tint: var(--topic); }
.near { display: grid; grid-template-columns: repeat(3, 1fr); gap: .5rem; }
.near a { color: var(--soft); font-size: .8rem; text-decoration: none; font-variant-numeric: tabular-nums; }
.near .picture { border-radius: .25rem; }
.near .none { display: block; padding: .2rem; font-size: .7rem; line-height: 1.25; }
"""
_FILTER = """<form role="search"><input type="search" id="filter"
  aria-label="Show only sales with these words" placeholder="Words of a title, label or topic">
<output id="count" for="filter"></output></form>"""
_SCRIPT = """<script>
const box = document.getElementById("filter"), count = document.getElementById("count");
const cards = [...document.querySelectorAll("article")].map(card => [card, card.textContent.toLowerCase()]);
function filter() {
  const words = box.value.toLowerCase().split(/\\s+/);
  for (const [card, text] of cards) card.hidden = !words.every(word => text.includes(word));
  count.value = `${cards.filter(([card]) => !card.hidden).length} of ${cards.length} sales`;
}
box.addEventListener("input", filter);
box.form.addEventListener("submit", event => event.preventDefault());
document.querySelector("main").addEventListener("click", event => {
  if (event.target.closest(".near a")) { box.value = ""; filter(); }
});
filter();
</script>"""


class Card(NamedTuple):
    """A sale in the gallery.

    Attributes:
        sale_id: the sale.
        title: what it is called.
        picture: a JPEG of the size of `THUMBNAIL`; None if there is none.
        remarks: why there is no picture, or nothing was found in it; for a person.
        labels: scene labels and their probabilities.
        topics: topics and their shares.
        nearest: the sales that look most alike, best first, with cosines; those not in the gallery are left
            out.
    """

    sale_id: str
    title: str
    picture: bytes | None
    remarks: tuple[str, ...]
    labels: tuple[Scored, ...]
    topics: tuple[Scored, ...]
    nearest: Sequence[tuple[str, float]]


def largest(shares: Iterable[Scored]) -> list[Scored]:
    """The labels or topics with a share, the largest first; equal ones by name."""
    return sorted((one for one in shares if one.share > 0), key=lambda one: (-one.share, one.name))


def write_gallery(cards: Iterable[Card], lead: str, path: Path) -> None:
    """Write the gallery to `path`: one file that needs nothing else, and that nothing else is loaded into.

    Sales with the same main topic stand together, those with most of it first; each picture is in the file
    once, however many sales it is near to.

    Args:
        cards: the sales.
        lead: what is to be said first.
        path: where to.
    """
    ordered = {card.sale_id: card for card in sorted(cards, key=_place)}
    numbers = {sale_id: number for number, sale_id in enumerate(ordered)}
    pictures = (
        f".p{numbers[one.sale_id]} {{ background-image: url({data_url(one.picture)}); }}"
        for one in ordered.values()
        if one.picture is not None
    )
    shown = (_card(card, ordered, numbers) for card in ordered.values())
    parts = [f"<p>{escape(lead)}</p>", _FILTER, "<main>", *shown, "</main>", _SCRIPT]
    style = "\n".join((_STYLE, *pictures))
    write_page(path, "What the images of the live sales show", parts, style, _HEAD)


def _place(card: Card) -> tuple[bool, str, float, str, str]:
    """By main topic, then by its share; what has no topics comes last."""
    main = next(iter(largest(card.topics)), None)
    name, share = (main.name, main.share) if main else ("", 0.0)
    return main is None, name, -share, card.title, card.sale_id


def _card(card: Card, cards: Mapping[str, Card], numbers: Mapping[str, int]) -> str:
    number = numbers[card.sale_id]
    parts = [
        f"<h2>{escape(card.title)}</h2>",
        f'<p class="note">{escape(card.sale_id)}</p>',
        *(f'<p class="note">{escape(one)}</p>' for one in card.remarks if card.picture is not None),
        _shares("labels", card.labels),
        _shares("topics", card.topics),
        _nearest(card.nearest, cards, numbers),
    ]
    return f'<article id="s{number}">{_picture(card, number)}<div>{"".join(parts)}</div></article>'


def _picture(card: Card, number: int) -> str:
    if card.picture is not None:
        return f'<span class="picture p{number}" role="img" aria-label="{escape(card.title)}"></span>'
    return f'<span class="picture none">{"<br>".join(map(escape, card.remarks))}</span>'


def _shares(kind: str, shares: Iterable[Scored]) -> str:
    lines = "".join(
        f'<li style="--share: {100 * one.share:.1f}%"><span>{escape(one.name)}</span>'
        f"<b>{100 * one.share:.1f} %</b></li>"
        for one in largest(shares)[:SHOWN]
    )
    return f'<h3>{kind.capitalize()}</h3><ul class="shares {kind}">{lines}</ul>' if lines else ""


def _nearest(
    nearest: Iterable[tuple[str, float]], cards: Mapping[str, Card], numbers: Mapping[str, int]
) -> str:
    links = "".join(
        _link(cards[sale_id], numbers[sale_id], cosine) for sale_id, cosine in nearest if sale_id in cards
    )
    return f'<h3>Looks like</h3><ul class="near">{links}</ul>' if links else ""


def _link(card: Card, number: int, cosine: float) -> str:
    """A small picture that leads to the sale; without a picture, its title."""
    title = escape(card.title)
    kind, inside = (f"p{number}", "") if card.picture is not None else ("none", title)
    image = f'<span class="picture {kind}">{inside}</span>'
    return f'<li><a href="#s{number}" title="{title}" aria-label="{title}">{image}{cosine:.2f}</a></li>'
