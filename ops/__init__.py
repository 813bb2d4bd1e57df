"""The operator's command line: what happened to my file, is everything there, what failed and why, run it again.

`commands/` has a module per verb, which prints by `display.py`; the other modules do the work and know nothing of a
terminal. Files are read, and keys are made, by the deployed function's own modules.
"""
