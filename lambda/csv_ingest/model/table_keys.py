"""The keys of the tables in DynamoDB, all of them texts. Standard library only."""

ROWS_KEY = ("pk",)
FILES_KEY = ("object_key", "entry")

ROWS_INDEX = "etag-line"
"""Of a rows table, if its feed has `file_index`: the rows of a file, by their `etag` and `line`."""
