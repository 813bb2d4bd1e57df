"""On the path of a function's process, it writes down each AWS call there, before it is sent.

Python imports a module of this name at its start. Nothing of the project can be imported in that process.
"""

import json
import os
from typing import Any

if "RECORDED_CALLS" in os.environ and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    from botocore.client import BaseClient

    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def recording(self: Any, operation: str, params: dict[str, Any]) -> Any:
        call = {
            "function": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
            "service": self.meta.service_model.service_name,
            "operation": operation,
            "params": {name: value for name, value in params.items() if name not in ("Payload", "MessageBody")},
        }
        if "Statements" in params:  # without the rows
            call["params"] = {
                "Statements": [{"Statement": text} for text in {each["Statement"] for each in params["Statements"]}]
            }
        # One write a line: several processes append to the file.
        with open(os.environ["RECORDED_CALLS"], "a") as file:  # noqa: PTH123
            file.write(json.dumps(call, default=str) + "\n")
        return original(self, operation, params)

    BaseClient._make_api_call = recording  # type: ignore[attr-defined]
