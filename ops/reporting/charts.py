"""Charts as SVG without scripts, styles or references: the page has the styles."""

import sys
from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any
from xml.etree import ElementTree as ET

import pygal

# A finder of map plugins, which pygal adds: Python 3.11 warns of its interface at every import of an unknown module.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

WIDTH, HEIGHT = 560, 300
"""Of the drawing, in its own units: on a phone it is shown at two thirds, and its texts stay legible."""

SHOWN_TIMES = 5
TEXT = 15

Series = Mapping[str, Sequence[float | None]]
"""The name of each series, which is a class of the page's style, and its values."""


def bars(series: Series, times: Sequence[str], *, title: str, summary: str) -> str:
    """Bars upon each other, one for each time."""
    highest = max((sum(filter(None, values)) for values in zip(*series.values(), strict=True)), default=0)
    return _draw(pygal.StackedBar, series, times, ticks(highest), title=title, summary=summary)


def lines(series: Series, times: Sequence[str], *, title: str, summary: str) -> str:
    """Lines on a logarithmic scale; a value can be missing."""
    positive = [value for values in series.values() for value in values if value]
    scale = powers(min(positive, default=1), max(positive, default=1))
    return _draw(pygal.Line, series, times, scale, title=title, summary=summary, logarithmic=True)


def ticks(highest: float) -> list[float]:
    """Round numbers from 0 to at least a number: six at most."""
    rough = max(highest, 1) / 4
    power = 10.0 ** floor(log10(rough))
    step = max(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough), 1)
    return [number * step for number in range(ceil(max(highest, 1) / step) + 1)]


def powers(lowest: float, highest: float) -> list[float]:
    """The powers of ten around some positive numbers: two at least."""
    first = floor(log10(lowest))
    return [10.0**power for power in range(first, max(ceil(log10(highest)), first + 1) + 1)]


def _draw(
    kind: Any, series: Series, times: Sequence[str], scale: Sequence[float], *, title: str, summary: str, **more: Any
) -> str:
    chart = kind(
        width=WIDTH,
        height=HEIGHT,
        margin=8,
        no_prefix=True,
        show_legend=False,  # the page has one, in text
        show_minor_x_labels=False,
        x_labels_major_every=max(ceil(len(times) / SHOWN_TIMES), 1),
        truncate_label=-1,
        dots_size=3,
        range=(scale[0] * 0.9, scale[-1] * 1.1),  # or its outermost lines are not drawn
        style=pygal.style.Style(label_font_size=TEXT, major_label_font_size=TEXT),
        disable_xml_declaration=True,
        **more,
    )
    chart.x_labels = list(times)
    chart.y_labels = [{"value": value, "label": f"{value:,g}" if value < 1 else f"{value:,.0f}"} for value in scale]
    for name, values in series.items():
        chart.add(name, list(values))
    return _cleaned(chart.render(), title=title, summary=summary)


def _cleaned(svg: str, *, title: str, summary: str) -> str:
    """The drawing without scripts, styles, tooltips, comments and identifiers, with a text for who cannot see it."""
    root = ET.fromstring(svg)  # noqa: S314 - pygal has just written it
    for parent in list(root.iter()):
        for child in list(parent):
            name = child.tag.rpartition("}")[2]
            kind = child.get("class", "")
            if name in ("defs", "desc", "title") or "tooltip-overlay" in kind or "text-overlay" in kind:
                parent.remove(child)
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
        each.attrib.pop("id", None)
    drawing = "".join(ET.tostring(child, encoding="unicode") for child in root)
    label = escape(f"{title}. {summary}")
    return f'<svg class="chart" role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}">{drawing}</svg>'
