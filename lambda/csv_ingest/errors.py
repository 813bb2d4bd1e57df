"""One exception per fact. Each one leaves the handler, so that Lambda retries the event and then keeps it.

Messages name places (bytes, lines, columns by number), never the contents of a row: they end up in the logs.
"""


class MalformedEvent(Exception):
    """The event is not an S3 notification that names an object version, and not a test event either."""


class UnreadableFile(Exception):
    """The object is not a CSV file in the configured encoding with the configured id column."""


class RowsNotWritten(Exception):
    """DynamoDB refused rows for a reason that may pass, until the time for this invocation was used up."""


class OutOfTime(Exception):
    """The invocation is about to be ended by its timeout; what is stored stays stored."""
