"""Templates that cannot be checked."""


class InvalidTemplate(ValueError):
    """Not a CloudFormation template. The message says where and why."""


MALFORMED = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)
"""What Python raises where a template has another shape than CloudFormation accepts."""
