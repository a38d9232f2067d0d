"""Files of sales: aliases, lists, times and numbers become what the wire has; the rest stays as it is."""

import gzip
from pathlib import Path

import msgspec
import pytest

from models.sale_file import SaleRow, json_sales, read_sales
from reco.errors import EventLogError

T = 1_748_761_200_000  # 2025-06-01T07:00:00Z


def rows(path: Path, content: str, renames: dict[str, str] | None = None) -> list[SaleRow]:
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return list(read_sales(path, renames or {}))


@pytest.mark.parametrize(
    ("name", "separator"), [("sales.csv", ","), ("sales.csv.gz", ","), ("sales.tsv", "\t")]
)
def test_csv_gives_documents_with_the_names_of_the_wire(tmp_path: Path, name: str, separator: str) -> None:
    content = (
        "id,title,images,tags,price,opens_at,closes_at,country\n"
        'a,"Sea\nand sun",u1| u2 ,beach| |,49.90,2025-06-01T07:00:00Z,,FR\n'
        f"b,Hills,,,,{T},2025-06-01T09:00:00+02:00,\n"
    )
    first, second = rows(tmp_path / name, content.replace(",", separator))
    assert (first.line, second.line) == (2, 4)
    assert first.document == {
        "sale_id": "a",
        "title": "Sea\nand sun",
        "image_urls": ["u1", "u2"],
        "tags": ["beach"],
        "price": 49.9,
        "opens_at": T,
        "country": "FR",
    }
    assert second.document == {"sale_id": "b", "title": "Hills", "opens_at": T, "closes_at": T}


@pytest.mark.parametrize("empty", ["", ",,", ",,,,"])
def test_rows_in_which_a_spreadsheet_has_nothing_are_no_sales(tmp_path: Path, empty: str) -> None:
    found = rows(tmp_path / "sales.csv", f"id,title,price\r\n{empty}\r\na,Sea,\r\n{empty}\r\n{empty}\r\n")
    assert [(row.line, row.document, row.fault) for row in found] == [
        (3, {"sale_id": "a", "title": "Sea"}, "")
    ]


def test_json_lines_give_documents_with_the_names_of_the_wire(tmp_path: Path) -> None:
    content = (
        '{"id": 7, "title": "Sea", "image_url": "u|1", "opens_at": "2025-06-01", "closes_at": null}\n\n'
        '{"sale_id": "b", "title": "Hills", "images": ["u1", "u2"], "price": 5, "opens_at": 1748761200000}\n'
    )
    first, second = rows(tmp_path / "sales.jsonl", content)
    assert (first.line, second.line) == (1, 3)
    assert first.document == {
        "sale_id": "7",
        "title": "Sea",
        "image_urls": ["u|1"],
        "opens_at": T - 7 * 3600 * 1000,
    }
    assert second.document == {
        "sale_id": "b",
        "title": "Hills",
        "image_urls": ["u1", "u2"],
        "price": 5,
        "opens_at": T,
    }


def test_fields_are_renamed_also_to_an_alias_and_left_out_as_told(tmp_path: Path) -> None:
    renames = {"code": "id", "name": "title", "junk": ""}
    (row,) = rows(tmp_path / "sales.csv", "code,name,junk\na,Sea,1\n", renames)
    assert row.document == {"sale_id": "a", "title": "Sea"}
    assert row.ignored == ()


def test_a_column_of_csv_that_is_to_be_renamed_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(
        EventLogError,
        match=r"sales.csv: no column prixx to rename; its columns are id, prix"
        r"\. Name one of them first: --map THEIRS=OURS$",
    ):
        rows(tmp_path / "sales.csv", "id,prix\na,5\n", {"prixx": "price"})


def test_fields_that_no_sale_has_are_named(tmp_path: Path) -> None:
    (row,) = rows(tmp_path / "sales.csv", "id,clossing_at\na,2025-06-01\n")
    assert row.document == {"sale_id": "a"}
    assert row.ignored == ("clossing_at",)


def test_a_value_that_is_not_understood_stays_as_it_is(tmp_path: Path) -> None:
    (row,) = rows(tmp_path / "sales.csv", "id,title,price,opens_at\na,1984,12 EUR,soon\n")
    assert row.document == {"sale_id": "a", "title": "1984", "price": "12 EUR", "opens_at": "soon"}
    for no_id in (True, 7.5, ["a"]):
        (row,) = json_sales([msgspec.json.encode({"id": no_id}).decode()], "stdin", {})
        assert row.document == {"sale_id": no_id}


@pytest.mark.parametrize("between", [" ", ", ", ",", "; ", "\n"])
def test_several_images_with_something_else_than_a_bar_between_are_not_taken_for_one(
    tmp_path: Path, between: str
) -> None:
    images = between.join(("https://a.eu/1.jpg", "HTTPS://a.eu/2.jpg")) + "|https://a.eu/3.jpg"
    (row,) = rows(tmp_path / "sales.csv", f'id,images\na,"{images}"\n')
    assert row.document == {"sale_id": "a", "image_urls": images}


def test_images_may_have_blanks_and_commas_in_their_names_and_tags_too(tmp_path: Path) -> None:
    content = 'id,images,tags\na,"sea, sun.jpg|https://a.eu/w_9,h_9/1.jpg","plage, http://a.eu"\n'
    (row,) = rows(tmp_path / "sales.csv", content)
    assert row.document["image_urls"] == ["sea, sun.jpg", "https://a.eu/w_9,h_9/1.jpg"]
    assert row.document["tags"] == ["plage, http://a.eu"]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("sales.csv", "id,title\na\n", "1 values, the header has 2"),
        ("sales.csv", f"id,title\na,{'x' * 200_000}\n", "field larger"),
        ("sales.csv", 'id,title\na,"Rome\nb,Oslo\nc,"Bern"\n', "is a quote not closed?"),
        ("sales.csv", 'id,title\na,"Rome\n', "a value in quotes goes on beyond its row"),
        ("sales.csv", 'id,title\na,"Rome', "a value in quotes goes on beyond its row"),
        ("sales.csv", "id,sale_id\na,b\n", "two fields for sale_id"),
        ("sales.csv", "id,tags,note,tags,note\na,b,c,d,e\n", "two fields for tags"),
        ("sales.jsonl", "\n{]\n", "no JSON object"),
        ("sales.jsonl", "\n[1]\n", "no JSON object"),
        ("sales.jsonl", f'\n{{"id": {"[" * 100_000}\n', "no JSON object"),
    ],
)
def test_a_row_that_is_none_says_why_and_where(tmp_path: Path, name: str, content: str, fault: str) -> None:
    (row,) = rows(tmp_path / name, content)
    assert fault in row.fault
    assert (row.file, row.line, row.document) == (str(tmp_path / name), 2, {})


@pytest.mark.parametrize(
    ("separator", "called", "otherwise"),
    [(";", "';'", ""), ("\t", "tabs", ", or have its name end in .tsv")],
)
def test_csv_whose_values_are_separated_by_something_else_than_commas_is_refused(
    tmp_path: Path, separator: str, called: str, otherwise: str
) -> None:
    path = tmp_path / "ventes.csv"
    with pytest.raises(EventLogError) as error:
        rows(path, separator.join(("id", "titre", "prix")) + "\n" + separator.join("aSb") + "\n")
    assert str(error.value) == f"{path}: values are separated by {called}; save it with commas{otherwise}"


def test_lines_that_are_handed_in_are_read_in_the_same_way() -> None:
    (row,) = json_sales(['{"id": "a"}\n'], "stdin", {})
    assert row == SaleRow("stdin", 1, {"sale_id": "a"})


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EventLogError, match=r"\.jsonl"):
        rows(tmp_path / "sales.parquet", "")
