"""Code of the ingest and sweep functions, shared with the infrastructure and the operators' commands."""

RELEASE = "1.4.0"
"""The version of this code, as in pyproject.toml. A release that changes what is stored or configured has another first
or second number."""
