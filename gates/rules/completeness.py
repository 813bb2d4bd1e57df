"""Whether the template has everything that the deployment creates."""

from collections.abc import Iterator

from .rule import CheckContext, Violation, rule


@rule(
    "template-complete",
    why="No rule checks what a macro or an include adds, and what a finding calls missing may be among it.",
    fix="Check the stack's own template: aws cloudformation get-template --template-stage Processed.",
)
def template_is_complete(context: CheckContext) -> Iterator[Violation]:
    for owner, path, what in context.template.opaque:
        yield Violation(owner, path, f"not checked: {what}", warning=True)


RULES = (template_is_complete,)
