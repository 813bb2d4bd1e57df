"""Where rows are stored: what every destination must do, and one module or more for each of them."""

from csv_ingest.destinations.base import Destination, OnlyIf
from csv_ingest.destinations.opening import open_destination, owner_of
