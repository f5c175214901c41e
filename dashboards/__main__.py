"""`python -m dashboards`: every query of every dashboard as JSON, with what it promises."""

import json
import sys

from dashboards.build import dashboards
from dashboards.query_list import listed

ROWS = [
    {
        "key": one.key,
        "query": one.query.text,
        "format": one.query.result,
        "columns": one.query.columns,
        "series_limit": one.query.series_limit,
    }
    for one in listed(dashboards())
]
sys.stdout.write(json.dumps(ROWS, indent=1) + "\n")
