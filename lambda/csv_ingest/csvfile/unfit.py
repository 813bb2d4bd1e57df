"""The errors of cells."""


class Unfit(ValueError):
    """Why a cell is not of its type. Unlike that of another ValueError, the message does not quote the cell."""


class BadCell(ValueError):
    """A cell is not of the type of its column. The message names the column, and never holds the cell."""
