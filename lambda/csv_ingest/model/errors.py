"""The exceptions of the pipeline, each for one fact."""


class PipelineError(Exception):
    """An error whose message names places by number, and never the contents of a row: logs and the ledger may have it.

    An error that is none can quote a row. All that leave the handler have Lambda retry the event, and then record it.
    """


class MalformedEvent(PipelineError):
    """The event is not an S3 notification that names an object version, and not a test event either."""


class UnreadableFile(Exception):
    """The object is not a CSV file in the configured encoding with the configured id column, and never will be.

    Also raised for a file of which no delivery makes progress.

    The message is for whoever uploaded the file, and may name the columns of its header: it goes to the ledger and to
    the failure queue, not to the logs.
    """


class OtherContent(UnreadableFile):
    """Other content was ingested under the file's ETag."""


class RowsNotWritten(PipelineError):
    """A write was refused: until the time for this invocation was used up, or for good."""


class ItemsNotRead(PipelineError):
    """Reads were left unprocessed until the time for this invocation was used up."""


class OtherTable(PipelineError):
    """The file was begun by another feed, or with another destination: rows of it are in another table."""


class BeingErased(PipelineError):
    """An operator takes back what was ingested of the file's content, to read it again or to forget it."""


class OwnerNeeded(PipelineError):
    """Rows can be deleted by the owner of their table only. The message is the SQL that the owner has to run."""


class TableAltered(PipelineError):
    """Rows that deliveries stored were deleted or changed by somebody else. Only a repair brings them back."""


class OutOfTime(PipelineError):
    """The invocation's timeout is about to end it. Rows that are stored stay stored."""


class NotAccepted(PipelineError):
    """Lambda did not put an event into the queue of a function."""


class NotTold(PipelineError):
    """Somebody could not be told of an outcome. It is tried again, and then kept in the failure queue."""


class DeliveryFailed(PipelineError):
    """A delivery ended with an error that may quote a row: the message is the error's name and place."""
