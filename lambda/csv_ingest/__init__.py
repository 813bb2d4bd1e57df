"""The ingest function: every row of an uploaded CSV file is written to DynamoDB exactly once."""
