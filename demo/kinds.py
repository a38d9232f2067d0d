"""The dozen kinds of places that the demo's sales are about: where, what one stays in, what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle


@dataclass(frozen=True)
class Kind:
    """One kind of place.

    Attributes:
        name: how tastes and tags call it.
        places: pairs of place and country.
        stays: what a visitor books there.
        scene: ends a sentence that begins with a stay.
        nightly: lowest and highest price of a night for two, EUR.
        tags: what a sale of this kind may be tagged with, besides its name.
    """

    name: str
    places: tuple[tuple[str, str], ...]
    stays: tuple[str, ...]
    scene: str
    nightly: tuple[int, int]
    tags: tuple[str, ...]


KINDS = (
    Kind(
        "beach",
        (
            ("Comporta", "Portugal"),
            ("Milos", "Greece"),
            ("Conil", "Spain"),
            ("Tropea", "Italy"),
            ("Zanzibar", "Tanzania"),
            ("Tulum", "Mexico"),
        ),
        ("Beach bungalow", "Dune house", "Seafront suite", "Cabana"),
        "a few barefoot steps from the sand",
        (70, 240),
        ("sea", "family", "summer", "sunset"),
    ),
    Kind(
        "harbour",
        (
            ("Collioure", "France"),
            ("Rovinj", "Croatia"),
            ("Honfleur", "France"),
            ("Lunenburg", "Canada"),
            ("Bergen", "Norway"),
            ("Symi", "Greece"),
        ),
        ("Quayside rooms", "Captain's house", "Sail loft", "Boat and breakfast"),
        "above the fishing boats of the old harbour",
        (80, 210),
        ("sea", "seafood", "sailing", "couples"),
    ),
    Kind(
        "ski slope",
        (
            ("Lech", "Austria"),
            ("Zermatt", "Switzerland"),
            ("Val Thorens", "France"),
            ("Alta Badia", "Italy"),
            ("Niseko", "Japan"),
            ("Baqueira", "Spain"),
        ),
        ("Ski-in chalet", "Alpine lodge", "Slope-side apartment", "Mountain hotel"),
        "with the first lift of the morning at the door",
        (120, 380),
        ("snow", "winter", "family", "sauna"),
    ),
    Kind(
        "old town",
        (
            ("Ghent", "Belgium"),
            ("Évora", "Portugal"),
            ("Tallinn", "Estonia"),
            ("Lecce", "Italy"),
            ("Kraków", "Poland"),
            ("Hội An", "Vietnam"),
        ),
        ("Guesthouse", "Merchant's house", "Attic apartment", "Courtyard hotel"),
        "between the market square and the town wall",
        (55, 170),
        ("city break", "history", "weekend", "food"),
    ),
    Kind(
        "pool",
        (
            ("Ibiza", "Spain"),
            ("Ubud", "Indonesia"),
            ("Ostuni", "Italy"),
            ("Marrakesh", "Morocco"),
            ("Paphos", "Cyprus"),
            ("Phuket", "Thailand"),
        ),
        ("Pool villa", "Infinity-pool suite", "Garden resort", "Poolside finca"),
        "around a long quiet pool",
        (90, 320),
        ("adults only", "family", "spa", "summer"),
    ),
    Kind(
        "golf",
        (
            ("Vilamoura", "Portugal"),
            ("St Andrews", "United Kingdom"),
            ("Belek", "Turkey"),
            ("Marbella", "Spain"),
            ("Killarney", "Ireland"),
            ("Somabay", "Egypt"),
        ),
        ("Golf resort", "Clubhouse suite", "Fairway apartment", "Links hotel"),
        "with tee times on a championship course",
        (110, 300),
        ("sport", "couples", "spa", "green fee included"),
    ),
    Kind(
        "desert",
        (
            ("Merzouga", "Morocco"),
            ("Wadi Rum", "Jordan"),
            ("San Pedro de Atacama", "Chile"),
            ("Sossusvlei", "Namibia"),
            ("Liwa", "United Arab Emirates"),
            ("Tozeur", "Tunisia"),
        ),
        ("Tented camp", "Star-bed lodge", "Oasis riad", "Dune camp"),
        "under more stars than you can count",
        (90, 350),
        ("adventure", "stargazing", "camel ride", "couples"),
    ),
    Kind(
        "forest lake",
        (
            ("Saimaa", "Finland"),
            ("Dalarna", "Sweden"),
            ("Bled", "Slovenia"),
            ("Mazury", "Poland"),
            ("Mecklenburg", "Germany"),
            ("Algonquin", "Canada"),
        ),
        ("Lake cabin", "Log house", "Boathouse", "Treehouse"),
        "where the forest ends at the water",
        (60, 190),
        ("nature", "family", "sauna", "canoe"),
    ),
    Kind(
        "skyline",
        (
            ("New York", "United States"),
            ("Hong Kong", "China"),
            ("Singapore", "Singapore"),
            ("Dubai", "United Arab Emirates"),
            ("Chicago", "United States"),
            ("Frankfurt", "Germany"),
        ),
        ("High-floor room", "Rooftop hotel", "Corner suite", "Penthouse studio"),
        "with the whole skyline in the window",
        (130, 420),
        ("city break", "rooftop bar", "shopping", "nightlife"),
    ),
    Kind(
        "palace",
        (
            ("Sintra", "Portugal"),
            ("Udaipur", "India"),
            ("Venice", "Italy"),
            ("Vienna", "Austria"),
            ("Loire", "France"),
            ("Jaipur", "India"),
        ),
        ("Palace suite", "Château room", "Royal apartment", "Palazzo hotel"),
        "behind gates that used to open for kings only",
        (150, 480),
        ("luxury", "history", "couples", "garden"),
    ),
    Kind(
        "vineyard",
        (
            ("Douro", "Portugal"),
            ("Chianti", "Italy"),
            ("Saint-Émilion", "France"),
            ("Stellenbosch", "South Africa"),
            ("Mosel", "Germany"),
            ("Mendoza", "Argentina"),
        ),
        ("Winery guesthouse", "Wine estate", "Press house", "Vintner's cottage"),
        "among the vines, a tasting included",
        (85, 230),
        ("wine", "food", "weekend", "couples"),
    ),
    Kind(
        "safari",
        (
            ("Maasai Mara", "Kenya"),
            ("Okavango", "Botswana"),
            ("Kruger", "South Africa"),
            ("Serengeti", "Tanzania"),
            ("Etosha", "Namibia"),
            ("Yala", "Sri Lanka"),
        ),
        ("Safari lodge", "Bush camp", "Waterhole suite", "River tents"),
        "with elephants at the waterhole below",
        (180, 520),
        ("wildlife", "adventure", "game drive", "photography"),
    ),
)
"""Twelve kinds; each has 24 combinations of a place and a stay."""


def kinds_of(classes: Sequence[str]) -> tuple[Kind, ...]:
    """A kind for each class of photographs, such as `art_gallery`: sales of it may be anywhere."""
    places = tuple(place for kind in KINDS for place in kind.places)
    return tuple(
        Kind(
            name=name,
            places=places,
            stays=(_title(name),),
            scene="at its best",
            nightly=like.nightly,
            tags=("weekend", "family", "couples", "city break"),
        )
        for name, like in zip(classes, cycle(KINDS), strict=False)
    )


def _title(name: str) -> str:
    """The name of a class as a title has it: `art_gallery` is `Art gallery`."""
    words = " ".join(name.replace("_", " ").split()) or name
    return words[0].upper() + words[1:]
