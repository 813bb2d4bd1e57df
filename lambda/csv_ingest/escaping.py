"""Other people's text, for people: keys, ids, reasons and cells."""

import shlex
import struct


def escaped(text: str) -> str:
    r"""Replace each character that cannot be seen by JSON's escape of it, such as `\u001b`.

    Control characters would steer a terminal, a line end would make a second line, bidirectional marks would reorder
    the line, and zero-width characters would make two keys look the same. What can be seen is decided by
    `str.isprintable`: of all white space, only the space is kept.
    """
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    # Two units for a character beyond U+FFFF; one for half of such a pair, which is no character and not encodable.
    units = struct.iter_unpack(">H", char.encode("utf-16-be", "surrogatepass"))
    return "".join(f"\\u{unit:04x}" for (unit,) in units)


def shell_word(text: str) -> str:
    """A word of a command, which `bash` reads as it was."""
    if escaped(text) == text:
        return shlex.quote(text)
    return "$'" + escaped(text.replace("\\", r"\\").replace("'", r"\'")) + "'"
