"""HTML from values: whatever is not Markup already is escaped. Keys, reasons and names are other people's text."""

from collections.abc import Iterable, Sequence
from html import escape

from csv_ingest.escaping import escaped


class Markup(str):
    """HTML that is written as it is."""

    __slots__ = ()


def html(value: object) -> Markup:
    """A value as HTML: what cannot be seen is escaped as on a terminal, and what HTML would read as its own."""
    return value if isinstance(value, Markup) else Markup(escape(escaped(str(value))))


def element(name: str, *content: object, class_: str = "") -> Markup:
    attribute = f' class="{escape(class_)}"' if class_ else ""
    return Markup(f"<{name}{attribute}>{''.join(map(html, content))}</{name}>")


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], *, class_: str = "") -> Markup:
    """A table whose first column says what each row is about. Columns whose head begins with # are numbers."""
    head = "".join(
        f'<th scope="col"{_NUMBER if text.startswith("#") else ""}>{html(text.removeprefix("#"))}</th>'
        for text in heads
    )
    body = "\n".join(f"<tr>{_cells(heads, row)}</tr>" for row in rows)
    return Markup(
        # It can be scrolled by the keyboard, too.
        f'<div class="scroll" tabindex="0" role="group" aria-label="{html(caption)}">'
        f'<table class="{escape(class_)}"><caption>{html(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


_NUMBER = ' class="n"'


def _cells(heads: Sequence[str], row: Sequence[object]) -> str:
    first, *others = row
    cells = [f'<th scope="row">{html(first)}</th>']
    for text, value in zip(heads[1:], others, strict=True):
        cells.append(f"<td{_NUMBER if text.startswith('#') else ''}>{html(value)}</td>")
    return "".join(cells)


def bar(share: float) -> Markup:
    """A bar beside a number that says the same."""
    return Markup(f'<span class="bar" aria-hidden="true"><span style="width:{share:.1%}"></span></span>')
