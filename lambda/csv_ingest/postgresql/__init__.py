"""A connection to a PostgreSQL database: TLS, login, and what an error means."""
