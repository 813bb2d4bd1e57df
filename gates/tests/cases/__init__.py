"""Templates on each side of the rules, one file a theme."""

from gates.tests.cases import alarms, asynchronous, completeness, delivery, functions, permissions, storage, uploads

_THEMES = (asynchronous, delivery, alarms, functions, uploads, permissions, storage, completeness)
VIOLATING = [case for theme in _THEMES for case in theme.VIOLATING]
UNDECIDED = [case for theme in _THEMES for case in theme.UNDECIDED]
COMPLIANT = [case for theme in _THEMES for case in theme.COMPLIANT]
