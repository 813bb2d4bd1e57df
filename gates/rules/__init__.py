"""The rules, one file a theme. Each rule's id, reason and fix stand above its check."""

from . import alarms, asynchronous, completeness, delivery, functions, packages, permissions, storage, uploads

RULES = (
    *asynchronous.RULES,
    *delivery.RULES,
    *alarms.RULES,
    *functions.RULES,
    *uploads.RULES,
    *permissions.RULES,
    *storage.RULES,
    *packages.RULES,
    *completeness.RULES,
)
"""Every rule, in the order of reports and of gates/README.md."""
