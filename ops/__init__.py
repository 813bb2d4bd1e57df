"""The operator's command line: what happened to my file, is everything there, what failed and why, run it again.

Files are read, and keys are made, by the deployed function's own modules. A folder named `lambda` cannot be imported,
so it is a root of imports, as it is on Lambda.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "lambda"))
