"""The application, run as the CDK CLI runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from local.processes import PROJECT

NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there: a program with this proxy reaches no network."""


def synth(tmp_path: Path, **context: Any) -> subprocess.CompletedProcess[str]:
    """`python app.py`, with no account, no credentials and no network, the function left unbundled."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "CDK_CONTEXT_JSON": json.dumps({"aws:cdk:bundling-stacks": [], **context}),
        "CDK_OUTDIR": str(tmp_path),
        "HTTP_PROXY": NOWHERE,
        "HTTPS_PROXY": NOWHERE,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    command = [sys.executable, "app.py"]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
