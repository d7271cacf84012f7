"""The official lists: what is read of them, what is passed over."""

from __future__ import annotations

import pytest

from chesslm.errors import InputError
from data_prep.download_index import Dump, choose, parse_checksums, parse_counts, read_index

BASE = "https://dumps.example/mirror"
SHA = "ab" * 32


class Lists:
    """A server of small texts."""

    def __init__(self, **files: str) -> None:
        self.files = {f"{BASE}/standard/{name}.txt": text for name, text in files.items()}

    def text(self, url: str) -> str | None:
        return self.files.get(url)


def name(month: str) -> str:
    return f"lichess_db_standard_rated_{month}.pgn.zst"


def test_dumps_come_oldest_first_with_what_the_other_lists_say_of_them() -> None:
    lists = Lists(
        list=f"https://elsewhere.example/x/{name('2013-02')}\r\n{name('2013-01')}\n\n# {name('2012-12')}.torrent\n",
        counts=f"{name('2013-01')} 121332\n",
        sha256sums=f"{SHA.upper()} *{name('2013-02')}\n",
    )
    assert read_index(lists, f"{BASE}/", "standard") == [
        Dump(name("2013-01"), "2013-01", f"{BASE}/standard/{name('2013-01')}", 121332, None),
        Dump(name("2013-02"), "2013-02", f"{BASE}/standard/{name('2013-02')}", None, SHA),
    ]


def test_lines_of_another_form_are_passed_over() -> None:
    assert parse_counts("a 1\n\nb\nc x\nd 1 2\ne -1\nf ²\n") == {"a": 1}
    assert parse_checksums(f"{SHA}  a\n{SHA[:-1]}  b\n{SHA}\n{'xy' * 32}  c\n") == {"a": SHA}


@pytest.mark.parametrize(
    "line", ["../../etc/passwd_2013-01.pgn.zst", "https://x/..%2f_2013-01.pgn.zst", ".hidden_2013-01.pgn.zst"]
)
def test_a_name_that_leads_elsewhere_never_comes_out_of_a_list(line: str) -> None:
    lists = Lists(list=f"{line}\n{name('2013-01')}\n")
    assert all("/" not in dump.name and not dump.name.startswith(".") for dump in read_index(lists, BASE, "standard"))


@pytest.mark.parametrize(
    ("files", "variant", "said"),
    [
        ({}, "standard", r"list\.txt: not there; is --variant standard right\?"),
        ({"list": "<html>\n"}, "standard", r"list\.txt: no dump in it"),
        ({"list": name("2013-01")}, "../standard", r"--variant \.\./standard: no name of a variant"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_line(files: dict[str, str], variant: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_index(Lists(**files), BASE, variant)


def test_months_are_chosen_in_the_order_asked_for_and_once() -> None:
    dumps = [Dump(name(month), month, "", None, None) for month in ("2013-01", "2013-02", "2013-03")]
    assert [dump.month for dump in choose(dumps, ["2013-03", "2013-01", "2013-03"])] == ["2013-03", "2013-01"]
    with pytest.raises(InputError, match="no dump of 2012-12; there are 2013-01 to 2013-03"):
        choose(dumps, ["2012-12"])
