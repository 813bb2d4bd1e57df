"""Which objects that no feed takes were probably meant for one."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.intake import Intake, Taker

SUFFIXES = (".csv", ".CSV", ".csv.gz")
ORDERS, ACME = Taker("orders", "orders/", SUFFIXES), Taker("acme", "vendors/acme/", (".csv",))

OWN = Intake(takers=[ORDERS, ACME], ignored_prefixes=["reports/", "orders/log"])
EXISTING = Intake(takers=[ORDERS, ACME], ignored_prefixes=["reports/", "orders/log", "Vendors/"], existing_bucket=True)

TAKES_ORDERS = "the feed orders takes .csv, .CSV and .csv.gz, and this "
NO_PREFIX = "below no feed's prefix; the nearest is "


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("order/orders.csv", f"{NO_PREFIX}orders/"),
        ("Orders/orders.csv", f"{NO_PREFIX}orders/"),
        ("/orders/orders.csv", f"{NO_PREFIX}orders/"),
        ("orders", f"{NO_PREFIX}orders/"),
        ("orders.csv", f"{NO_PREFIX}orders/"),
        ("vendors/orders.csv", f"{NO_PREFIX}vendors/acme/"),
        ("vendor/acme/a.csv", f"{NO_PREFIX}vendors/acme/"),
        ("orders/orders.txt", f"{TAKES_ORDERS}ends in .txt"),
        ("orders/orders.Csv", f"{TAKES_ORDERS}ends in .Csv"),
        ("orders/orders.csv ", f"{TAKES_ORDERS}ends in '.csv '"),
        ("orders/2026.05/orders", f"{TAKES_ORDERS}has no ending"),
        ("vendors/acme/a.CSV", "the feed acme takes .csv, and this ends in .CSV"),
    ],
)
def test_a_mistake_is_named_with_what_is_nearest(key: str, reason: str) -> None:
    assert not OWN.takes(key)
    assert OWN.is_mistake(key, 1)
    assert OWN.why_not(key).reason == reason


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("order/orders.csv", "move it below orders/"),
        ("orders/orders.Csv", "rename it, so that it ends in .csv"),
        ("orders/a.CSV.GZ", "rename it, so that it ends in .csv.gz"),
        ("orders/a.txt", "give it one of these endings"),
        ("reports/a.csv", ""),
    ],
)
def test_the_remedy_fits_the_mistake(key: str, remedy: str) -> None:
    assert OWN.why_not(key).remedy == remedy


@pytest.mark.parametrize(
    ("key", "size"),
    [
        ("orders/a.csv", 1),
        ("vendors/acme/2026/a.csv", 0),
        ("reports/a.csv", 1),
        ("orders/log", 1),
        ("orders/logs/a.txt", 1),
        ("orders/2026/", 0),
        ("elsewhere/", 0),
    ],
)
def test_what_is_taken_or_meant_is_no_mistake(key: str, size: int) -> None:
    assert not OWN.is_mistake(key, size)
    assert not EXISTING.is_mistake(key, size)


@pytest.mark.parametrize("key", ["elsewhere/", "elsewhere/a.csv", "a.txt"])
def test_any_other_object_of_an_own_bucket_counts(key: str) -> None:
    assert OWN.is_mistake(key, 1)


IN_EXISTING_BUCKET = {
    # An ending that the feed does not take.
    "orders/a.txt": True,
    "vendors/acme/a.csv.gz": True,
    # The prefix but for case, slashes or a letter: missing, added, another one, swapped.
    "ORDERS/a.csv": True,
    "//orders/a.csv": True,
    "order/a.csv": True,
    "orderss/a.csv": True,
    "ordres/a.csv": True,
    "orderz/2026/a.csv": True,
    "orders": True,
    "vendors/Acme/a.csv": True,
    "vendorsacme/a.csv": True,
    "vendor/acme/a.csv": True,
    # What others have.
    "vendors/a.csv": False,
    "vendors/other/a.csv": False,
    "orders-old/a.csv": False,
    "orders.csv": False,
    "orders2/a.csv": False,
    "ord/a.csv": False,
    "a.csv": False,
    # Excepted.
    "Vendors/Acme/a.csv": False,
}


@pytest.mark.parametrize(("key", "is_mistake"), IN_EXISTING_BUCKET.items())
def test_of_others_objects_only_near_misses_count(key: str, is_mistake: bool) -> None:
    assert EXISTING.is_mistake(key, 1) == is_mistake
    assert OWN.is_mistake(key, 1)


@pytest.mark.parametrize(
    ("prefix", "key", "is_mistake"),
    [
        # Other years, and other names of a letter.
        ("2025/", "2026/a.csv", False),
        ("v2/", "v1/a.csv", False),
        ("in/", "on/a.csv", False),
        ("in/", "In/a.csv", True),
        # A prefix that is no folder.
        ("in/orders_", "in/Orders_1.csv", True),
        ("in/orders_", "in/order_1.csv", False),
        ("a2025/", "2025/a.csv", True),
        # The whole bucket is the feed's.
        ("", "anything/a.txt", True),
    ],
)
def test_a_near_miss_depends_on_the_prefix(prefix: str, key: str, is_mistake: bool) -> None:
    intake = Intake(takers=[Taker("f", prefix, SUFFIXES)], existing_bucket=True)
    assert intake.is_mistake(key, 1) == is_mistake


names = st.text("abO1/.-", max_size=9)


@given(names, st.lists(st.tuples(names, st.sampled_from(SUFFIXES)), min_size=1), st.lists(names), st.booleans())
def test_each_key_is_taken_meant_or_explained(
    key: str, feeds: list[tuple[str, str]], ignored: list[str], existing: bool
) -> None:
    takers = [Taker(str(number), prefix, [suffix]) for number, (prefix, suffix) in enumerate(feeds)]
    intake = Intake(takers=takers, ignored_prefixes=ignored, existing_bucket=existing)
    if intake.takes(key) or intake.is_excepted(key):
        assert not intake.is_mistake(key, 1)
    elif not existing:
        assert intake.is_mistake(key, 1)
    if intake.is_mistake(key, 1):
        reason, remedy = intake.why_not(key)
        assert any(prefix in reason or suffix in reason for prefix, suffix in feeds)
        assert remedy


LETTERS = "ab1"
folders_of = st.lists(st.text(LETTERS, min_size=1, max_size=4), min_size=1, max_size=3)


@given(folders_of, st.integers(0, 2), st.integers(0, 5), st.sampled_from(["", *LETTERS]), st.booleans())
def test_whatever_resembles_a_prefix_is_found_folder_by_folder(
    names: list[str], folder: int, at: int, letter: str, replaced: bool
) -> None:
    """Of a bucket of another owner, only the folders are listed that lead to something."""
    prefix = "/".join([*names, ""])
    name = names[folder % len(names)]
    names[folder % len(names)] = name[:at] + letter + name[at + replaced :]
    key = "/".join([*names, "x.csv"])
    intake = Intake(takers=[Taker("f", prefix, [".csv"])], existing_bucket=True)
    folders = [key[: end + 1] for end, char in enumerate(key) if char == "/"]
    for each in itertools.takewhile(lambda each: not intake.resembles(each), folders):
        assert intake.leads_to_resembling(each) or not intake.resembles(key)
