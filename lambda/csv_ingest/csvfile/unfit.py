"""The error of a cell that is not of its type."""


class Unfit(ValueError):
    """Why a cell is not of its type. Unlike that of another ValueError, the message does not quote the cell."""
