"""Functions' packages: small, and without libraries that slow down a cold start."""

from collections.abc import Iterator

from .rule import CheckContext, Package, Violation, rule

MAX_PACKAGE_MB = 50
_HEAVY = {"pandas", "numpy"}


@rule(
    "package-size",
    why="Lambda loads the whole package at every cold start.",
    fix="Leave out what the function does not need, boto3 included: the runtime has it.",
)
def package_is_small(context: CheckContext) -> Iterator[Violation]:
    for function, package in _packages(context):
        if package.size > MAX_PACKAGE_MB * 1_000_000:
            size = f"{package.size / 1_000_000:,.1f} MB unpacked, more than {MAX_PACKAGE_MB} MB"
            yield Violation(function, "Code", size)


@rule(
    "package-contents",
    why="pandas and numpy make a cold start seconds longer, and reading CSV needs neither.",
    fix="Use the csv module.",
)
def package_starts_fast(context: CheckContext) -> Iterator[Violation]:
    for function, package in _packages(context):
        if heavy := sorted(package.names & _HEAVY):
            yield Violation(function, "Code", ", ".join(heavy))


RULES = (package_is_small, package_starts_fast)


def _packages(context: CheckContext) -> list[tuple[str, Package]]:
    """The known packages of the functions that are deployed."""
    return [(each.id, context.packages[each.id]) for each in context.functions if each.id in context.packages]
