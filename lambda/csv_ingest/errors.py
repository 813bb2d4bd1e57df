"""One exception per fact.

All but UnreadableFile leave the handler, so that Lambda retries the event and then keeps it. Their messages name places
by number, never the contents of a row: they end up in the logs.
"""


class MalformedEvent(Exception):
    """The event is not an S3 notification that names an object version, and not a test event either."""


class UnreadableFile(Exception):
    """The object is not a CSV file in the configured encoding with the configured id column, and never will be.

    The message is for whoever uploaded it, and may name the columns of the header: it belongs into the ledger and the
    failure queue, not into the logs.
    """


class RowsNotWritten(Exception):
    """DynamoDB refused rows for a reason that may pass, until the time for this invocation was used up."""


class ItemsNotRead(Exception):
    """DynamoDB left reads unprocessed, or an item is gone, until the time for this invocation was used up."""


class OutOfTime(Exception):
    """The invocation is about to be ended by its timeout; what is stored stays stored."""
