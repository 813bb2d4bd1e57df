"""Compare the views of a feed with PostgreSQL with the rows table that they are made of."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from csv_ingest.destinations.postgresql_table import quoted

from . import schema_catalog


@dataclass
class ViewsCheck:
    """One look at views, each by its name and by the statement that creates it."""

    catalog: schema_catalog.Catalog
    needed: Mapping[str, str]

    def __post_init__(self) -> None:
        found = ((name, self.catalog.table(name)) for name in self.needed)
        self._found = {name: view for name, view in found if view}

    def problems(self, of_table: Sequence[schema_catalog.Column], needed: Collection[str]) -> Iterator[str]:
        """Each reason why readers do not find what the feed writes: a view, or a column in it; and what to do."""
        for name, creation in self.needed.items():
            if not (view := self._found.get(name)):
                yield f"there is no view {name}: {as_one_line(creation)}"
            elif view.kind != "v":
                yield f"{name} is not a view: rename it, then {as_one_line(creation)}"
            else:
                yield from self._of_view(name, view, of_table, needed)

    def warnings(self, of_table: Sequence[schema_catalog.Column], needed: Collection[str]) -> Iterator[str]:
        """Which columns that the feed does not write are in the table, and not in a view."""
        others = [column.name for column in of_table if column.name not in needed]
        for name, view in self._found.items():
            if view.kind == "v":
                yield from self._of_view(name, view, of_table, others)

    def _of_view(
        self, name: str, view: schema_catalog.Table, of_table: Sequence[schema_catalog.Column], wanted: Collection[str]
    ) -> Iterator[str]:
        there, in_view = [column.name for column in of_table], [column.name for column in self.catalog.columns(view)]
        if missing := [each for each in there if each in wanted and each not in in_view]:
            # The server adds columns at the end of a view, and changes nothing else.
            is_beginning = there[: len(in_view)] == in_view
            again = as_one_line(self.needed[name]) if is_beginning else self._without([name], "")
            yield f"the view {name} has no column {', '.join(missing)}: {again}"

    def without_views(self, statement: str) -> str:
        """The SQL that runs a statement while the views are not there, and creates them again."""
        views = [name for name, view in self._found.items() if view.kind == "v"]
        return self._without(views, statement) if views else statement

    def _without(self, views: Sequence[str], statement: str) -> str:
        drop = f"DROP VIEW {', '.join(map(quoted, views))}"
        return as_one_line(*filter(None, (drop, statement)), *(self.needed[name] for name in views))


def as_one_line(*statements: str) -> str:
    """Statements to be copied from a message."""
    return "; ".join(" ".join(statement.split()) for statement in statements)
