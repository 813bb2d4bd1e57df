"""The site of the documentation, by Sphinx: `make site`. Each page is a file of the project, as a forge shows it, too.

Sphinx finds dead links, to headings as well; `make lint` ends with them.
"""

import shutil

from sphinx.application import Sphinx

project = "csv-ingest"
author = copyright = "the authors of csv-ingest"  # noqa: A001  Sphinx's name for it
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
include_patterns = ["*.md", "gates/README.md", "docs/*.md"]
root_doc = "README"

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
suppress_warnings = ["myst.header"]  # a page may begin with a picture

html_theme = "furo"
html_title = "csv-ingest"
html_copy_source = html_show_sourcelink = html_show_copyright = html_show_sphinx = False

CONTENTS = {
    "Guides": [
        *("docs/feeds", "docs/files", "docs/postgresql", "docs/merging", "docs/reading", "docs/own-app"),
        *("docs/upgrading", "docs/runbook"),
    ],
    "Reference": ["docs/settings", "docs/reference", "docs/costs", "gates/README", "CHANGELOG"],
    "Background": [
        *("docs/architecture", "docs/decisions", "docs/benchmarks", "docs/extending", "CONTRIBUTING", "SECURITY"),
    ],
}


def add_contents(_app: Sphinx, name: str, text: list[str]) -> None:
    """Give the first page the list of the others, which the forge does not need."""
    for title, pages in CONTENTS.items() if name == root_doc else ():
        listed = "\n".join(f"/{page}" for page in pages)
        text[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{listed}\n```\n"


def add_index(app: Sphinx, error: Exception | None) -> None:
    """Have the folder begin with the first page, if the site was built."""
    if not error:
        shutil.copy(app.outdir / f"{root_doc}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_contents)
    app.connect("build-finished", add_index)
