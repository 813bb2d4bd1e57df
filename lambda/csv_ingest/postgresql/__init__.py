"""A connection to a PostgreSQL database: TLS, login, and what an error means.

Only feeds with PostgreSQL import this package: the driver takes a tenth of a second of a cold start.
"""

from csv_ingest.postgresql.connection import PostgresqlConnection
from csv_ingest.postgresql.errors import CHECK
