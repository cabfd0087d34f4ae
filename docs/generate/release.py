"""The version and the date that every page bears."""

import os
import time

from header import HEADER


def source(version: str) -> str:
    return f"mlflow-ai-gateway {version}"


def date() -> str:
    """The date of SOURCE_DATE_EPOCH, with which packagers build reproducibly, otherwise that of the header."""
    moment = os.environ.get("SOURCE_DATE_EPOCH") or HEADER.stat().st_mtime
    return time.strftime("%Y-%m-%d", time.gmtime(float(moment)))
