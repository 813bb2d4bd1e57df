"""Which keys the feeds of a bucket take, and which of the others were probably meant for one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

MIN_RESEMBLING = 4
"""Characters of a prefix; one letter less or more of a shorter one is the name of something else."""


class Taker(NamedTuple):
    """A feed, and which keys it takes: those that have the prefix and one of the suffixes."""

    feed: str
    prefix: str
    suffixes: Sequence[str]


class NotTaken(NamedTuple):
    """Why no feed takes a key, and what to do, in words for the uploader."""

    reason: str
    remedy: str
    """Empty if there is nothing to do."""


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What the feeds take of their bucket."""

    takers: Sequence[Taker]
    ignored_prefixes: Sequence[str] = ()
    """What no feed takes below them is meant to be there."""
    existing_bucket: bool = False
    """Whether the bucket is of another owner, whose other objects are none of the pipeline's business."""

    @property
    def prefixes(self) -> list[str]:
        """The prefixes of the feeds, each once."""
        return list(dict.fromkeys(taker.prefix for taker in self.takers))

    def takes(self, key: str) -> bool:
        """Whether a feed takes a key."""
        return self.feed_of(key) is not None

    def taker_of(self, key: str) -> Taker | None:
        """Which feed takes a key; None if no feed does."""
        takers = (each for each in self.takers if key.startswith(each.prefix) and key.endswith(tuple(each.suffixes)))
        return next(takers, None)

    def feed_of(self, key: str) -> str | None:
        """The name of the feed that takes a key; None if no feed does."""
        return taker.feed if (taker := self.taker_of(key)) else None

    def is_below(self, key: str) -> bool:
        """Whether a key has the prefix of a feed, whatever its ending is."""
        return any(key.startswith(prefix) for prefix in self.prefixes)

    def is_excepted(self, key: str) -> bool:
        """Whether a key has one of the ignored prefixes."""
        return key.startswith(tuple(self.ignored_prefixes))

    def resembles(self, key: str) -> bool:
        """Whether a key, or a folder, is below no feed's prefix but below something that looks like one."""
        return not self.is_below(key) and any(_resembles(key, prefix) for prefix in self.prefixes)

    def leads_to_resembling(self, folder: str) -> bool:
        """Whether something directly in a folder, `/` at its end, can resemble the prefix of a feed."""
        if self.is_below(folder):
            return False
        name = folder.lstrip("/")
        above = {prefix[: end + 1] for prefix in self.prefixes for end, char in enumerate(prefix) if char == "/"}
        # A short folder above is part of a longer prefix, so that one letter less or more of it counts.
        return not name or any(_resembles(name, each, shortest=1) and len(name) <= len(each) + 1 for each in above)

    def is_mistake(self, key: str, size: int) -> bool:
        """Whether an object was probably meant for a feed, and no feed takes it.

        In a bucket of another owner, that is what has a feed's prefix and another ending, or a beginning that resembles
        a feed's prefix. The empty objects that S3's console makes for folders are no uploads.
        """
        is_folder = not size and key.endswith("/")
        if is_folder or self.takes(key) or self.is_excepted(key):
            return False
        return not self.existing_bucket or self.is_below(key) or self.resembles(key)

    def why_not(self, key: str) -> NotTaken:
        """Why no feed takes a key, with the nearest prefix or suffix."""
        if self.is_excepted(key):
            return NotTaken("ignored_prefixes says that no feed is to take it", "")
        for taker in self.takers:
            if key.startswith(taker.prefix):
                return _other_ending(key, taker)
        if not self.takers:
            return NotTaken("the bucket notifies no feed of uploads", "deploy again, and backfill")
        prefix = self._nearest_prefix(key)
        return NotTaken(f"below no feed's prefix; the nearest is {prefix}", f"move it below {prefix}")

    def _nearest_prefix(self, key: str) -> str:
        def nearness(prefix: str) -> tuple[bool, float]:
            beginning = key[: len(prefix)].lower()
            return _resembles(key, prefix), SequenceMatcher(None, beginning, prefix.lower(), autojunk=False).ratio()

        return max(self.prefixes, key=nearness)


def _other_ending(key: str, taker: Taker) -> NotTaken:
    """Why a feed does not take a key that has its prefix."""
    *others, last = taker.suffixes
    all_ = f"{', '.join(others)} and {last}" if others else last
    name = key.rpartition("/")[2]
    ending = f"ends in {_quoted(name[name.rfind('.') :])}" if "." in name else "has no ending"
    near = next((suffix for suffix in taker.suffixes if key.lower().endswith(suffix.lower())), None)
    remedy = f"rename it, so that it ends in {near}" if near else "give it one of these endings"
    return NotTaken(f"the feed {taker.feed} takes {all_}, and this {ending}", remedy)


def _quoted(ending: str) -> str:
    """In quotes if it has white space, which nobody would see at its end."""
    return f"'{ending}'" if any(char.isspace() for char in ending) else ending


def _resembles(key: str, prefix: str, *, shortest: int = MIN_RESEMBLING) -> bool:
    """Whether the beginning of a key differs from a prefix in case, by slashes before it, or by one letter.

    By one letter: that is missing, added, another one, or in the place of its neighbour. Only whole folders, and whole
    keys, are compared, since `orders-old/` is something else than `orders/`; and no digit may differ, since `2025/` is
    something else than `2026/`.
    """
    key, prefix = key.lstrip("/").lower(), prefix.lower()
    if key.startswith(prefix):
        return True
    if not prefix.endswith("/") or len(prefix) < shortest:
        return False
    beginnings = {key[: len(prefix) + more] for more in (-1, 0, 1)}
    return any(_differ_by_one(each, prefix) for each in beginnings if each.endswith("/") or each == key)


def _differ_by_one(first: str, second: str) -> bool:
    """Whether two texts differ by one letter, or by two neighbours that are swapped, and by no digit."""
    pairs = enumerate(zip(first, second, strict=False))
    at = next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))
    one, other = first[at:], second[at:]
    if one[1:] == other:
        changed = one[:1]
    elif one == other[1:]:
        changed = other[:1]
    elif one[1:] == other[1:]:
        changed = one[:1] + other[:1]
    else:
        changed = one[:2] if one[:2] == other[1::-1] and one[2:] == other[2:] else ""
    return bool(changed) and not any(char.isdigit() for char in changed)
