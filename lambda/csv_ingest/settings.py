"""Types of settings: which values are allowed, in words, and how they are read from text and from JSON."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

NONE = "none"
"""How the command line writes an optional setting that is not set."""

JSON_TYPES: Mapping[type, str] = {
    bool: "true or false",  # before int: Python's truths are ints as well
    int: "a whole number",
    list: "a list of text",
    dict: "an object",
}
"""The types that values of cdk.json can have beside text and null, in words. A number with a fraction is of none."""


class InvalidSetting(ValueError):
    """Settings that cannot be used. The message names them and the value, and says what is allowed or what to do."""

    def __init__(self, names: Iterable[str], problem: str, *, before: str = "") -> None:
        """`before` and `problem` are what the message has before and after the names."""
        self.names, self.problem, self.before = list(names), problem, before
        super().__init__(f"{before}{', '.join(self.names)}{problem}")

    def below(self, where: str) -> "InvalidSetting":
        """The same, with what leads to the settings in cdk.json before each name."""
        return InvalidSetting([where + name for name in self.names], self.problem, before=self.before)


def _to_text(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(each if isinstance(each, str) else "=".join(each) for each in value)
    return "tab" if value == "\t" else str(value)


class _WrongJsonType(ValueError):
    """A value is of another JSON type than its setting. The message says which types the setting has."""


class Problem(ValueError):
    """What is wrong with a value, in a sentence that says more than what is allowed."""


@dataclass(frozen=True)
class SettingType:
    """A type of settings.

    `allowed` describes the values, for messages and the documentation. `parse` converts the text after `-c key=`; it
    raises ValueError or LookupError for text that is not allowed, and Problem, which says more. An `optional` type also
    allows `none`. `to_text` converts a parsed value back. `from_json` converts values of cdk.json that are no text to
    such text, by their types in JSON (keys of JSON_TYPES); values of other types are not allowed. It raises ValueError
    for a value that has no such text.
    """

    allowed: str
    parse: Callable[[str], Any]
    optional: bool = False
    to_text: Callable[[Any], str] = _to_text
    from_json: Mapping[type, Callable[[Any], str]] = field(default_factory=dict)

    def read(self, name: str, value: Any) -> Any:
        """The value that the setting of this name has by a text, or by a value of JSON. Raises InvalidSetting."""
        try:
            return self.parse(self._text_of(value))
        except _WrongJsonType as error:
            problem = f"={value!r}: allowed is {self.allowed} (in cdk.json {error})"
        except Problem as error:
            problem = f": {error}"
        except (ValueError, LookupError):
            problem = f"={value!r}: allowed is {self.allowed}"
        raise InvalidSetting([name], problem, before="setting ")

    def _text_of(self, value: Any) -> str:
        """The text that would follow `-c key=` for a value of JSON. Raises _WrongJsonType, and as `from_json`."""
        if isinstance(value, str):
            return value
        if value is None and self.optional:
            return NONE
        value = list(value) if isinstance(value, tuple) else value
        type_ = next((each for each in JSON_TYPES if isinstance(value, each)), type(value))
        if convert := self.from_json.get(type_):
            return convert(value)
        words = [JSON_TYPES[each] for each in self.from_json] + ["null"] * self.optional
        raise _WrongJsonType(", or ".join(["text", *words]))


def setting(default: Any, type_: SettingType, doc: str) -> Any:
    """A field of a dataclass that is a setting. `doc` is its text in docs/settings.md."""
    return field(default=default, metadata={"type": type_, "doc": doc})


def settings_of(owner: type) -> dict[str, Field[Any]]:
    """The fields that are settings, with the metadata `type` and `doc`."""
    return {each.name: each for each in fields(owner) if each.metadata}


def read_settings(owner: Any) -> None:
    """Put what was read in the place of what a frozen dataclass was made with. Raises InvalidSetting."""
    for name, each in settings_of(type(owner)).items():
        if (value := getattr(owner, name)) is not each.default:
            object.__setattr__(owner, name, each.metadata["type"].read(name, value))


def given(owner: Any) -> dict[str, Any]:
    """The settings of a dataclass that are not at their defaults, and its fields that have none."""
    values = {each.name: (getattr(owner, each.name), each.default) for each in fields(owner)}
    return {name: value for name, (value, default) in values.items() if default is MISSING or value != default}


def require_known(values: Collection[str], settings: Collection[str]) -> None:
    """Raise InvalidSetting if there are names among some values that are no settings, but those of a later release."""
    if unknown := set(values).difference(settings):
        raise InvalidSetting(sorted(unknown), ": unknown to this release")


def matching(pattern: str, allowed: str) -> SettingType:
    """Text that a regular expression matches as a whole."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(text)
        return text

    return SettingType(allowed, parse)


NAME = matching(r"[a-z][a-z0-9-]{0,19}", "a lower-case letter, then such letters, digits and hyphens, at most 20")
"""How feeds are named, and stages."""


def whole_number(low: int, high: int) -> SettingType:
    """A whole number within limits, which are allowed themselves."""

    def parse(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError(text)
        return number

    return SettingType(f"a whole number from {low} to {high:,}", parse, from_json={int: str})


def one_of(numbers: Collection[int]) -> SettingType:
    """One of a few whole numbers."""
    by_text = {str(number): number for number in numbers}
    return SettingType(", ".join(by_text), by_text.__getitem__, from_json={int: str})


def several(allowed: str, parse: Callable[[str], Any]) -> SettingType:
    """Some texts: in cdk.json a list, on the command line separated by commas."""

    def join(texts: list[Any]) -> str:
        # The text could otherwise not be split at the same places.
        if not all(isinstance(each, str) and "," not in each for each in texts):
            raise ValueError(texts)
        return ",".join(texts)

    return SettingType(allowed, parse, from_json={list: join})


def each_once(pattern: str, allowed: str, *, most: int | None = None) -> SettingType:
    """Different texts, at least one and at most so many, each of which a regular expression matches as a whole."""

    def parse(text: str) -> tuple[str, ...]:
        found = tuple(each.strip() for each in text.split(","))
        well_formed = all(re.fullmatch(pattern, each) for each in found)
        if not well_formed or len(found) > (most or len(found)) or len(set(found)) < len(found):
            raise ValueError(text)
        return found

    return several(f"{allowed}, at most {most}" if most else allowed, parse)


def optional(required: SettingType) -> SettingType:
    """Another type, or None."""
    return SettingType(
        f"{required.allowed}, or {NONE}",
        lambda text: None if text == NONE else required.parse(text),
        optional=True,
        from_json=required.from_json,
    )


_TRUTHS = {"true": True, "false": False}
TRUE_OR_FALSE = SettingType("true, or false", lambda text: _TRUTHS[text.lower()], from_json={bool: str})
