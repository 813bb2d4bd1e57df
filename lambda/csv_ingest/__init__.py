"""Code of the ingest functions, the sweep and the notifier; the infrastructure and the commands share it."""

RELEASE = "1.6.0"
"""The version of this code, of the wheel, and of each deployment. A release that changes what is stored or configured
has another first or second number."""
