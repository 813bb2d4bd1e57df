"""Which folder of the checkout is which package of the wheel. All else about the wheel is in pyproject.toml."""

import os

from setuptools import find_packages, setup

FOLDERS = {
    "csv_ingest": "lambda/csv_ingest",
    "csv_ingest_cdk": "stacks",
    "csv_ingest_gates": "gates",
    "csv_ingest_ops": "ops",
}
address = os.environ.get("PROJECT_URL")  # of the forge, which the release's workflow knows

setup(
    package_dir=FOLDERS,
    packages=[
        f"{package}{below}"
        for package, folder in FOLDERS.items()
        for below in ("", *(f".{found}" for found in find_packages(folder)))
    ],
    package_data={"": ["py.typed", "requirements.*", "*.pem", "*.css"]},
    project_urls={"Source": address, "Documentation": f"{address}/tree/main/docs"} if address else {},
)
