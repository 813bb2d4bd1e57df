"""One table of DynamoDB: requests, their limits, and what is sent again. Knows nothing of what the items mean."""

from csv_ingest.dynamodb.expressions import Attribute, Found, Item, Update, as_values
from csv_ingest.dynamodb.requests import MAX_KEYS, MAX_STATEMENTS
from csv_ingest.dynamodb.table import DynamoDbTable
