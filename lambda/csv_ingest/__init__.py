"""The ingest function: every row of an uploaded CSV file is written to DynamoDB exactly once."""

RELEASE = "1.1.0"
"""The version of this code, as in pyproject.toml. A release that changes what is stored or configured has another first
or second number."""
