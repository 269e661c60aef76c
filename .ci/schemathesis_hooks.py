"""What a schema cannot say: `expires_at` must lie in the future, and only some names are configured."""

from datetime import datetime

import schemathesis
from hypothesis import strategies

FUTURE = strategies.datetimes(min_value=datetime(2100, 1, 1), max_value=datetime(9000, 1, 1))
schemathesis.openapi.format("date-time", FUTURE.map(lambda time: time.isoformat() + "Z"))


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Of the names of studios, those of an even length are that of the configured one."""
    name = (path_parameters or {}).get("name")
    if isinstance(name, str) and len(name) % 2 == 0:
        path_parameters["name"] = "main"
    return path_parameters
