"""What `cfn-lint --append-rules` loads: it takes each file of the folder by its path, outside of any package."""

import sys
from importlib import import_module
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]  # `gates` in a checkout, `csv_ingest_gates` where the wheel is installed
sys.path.append(str(_PACKAGE.parent))  # cfn-lint runs anywhere, and is told nothing but this folder
_rules = import_module(f"{_PACKAGE.name}.cfn_lint")

GatesErrors = _rules.GatesErrors
GatesWarnings = _rules.GatesWarnings
