"""Times that lie in the future: `expires_at` must, and a schema cannot say so."""

from datetime import datetime

import schemathesis
from hypothesis import strategies

FUTURE = strategies.datetimes(min_value=datetime(2100, 1, 1), max_value=datetime(9000, 1, 1))
schemathesis.openapi.format("date-time", FUTURE.map(lambda time: time.isoformat() + "Z"))
