"""The report: results of studies -> one HTML page that needs no server, no network and no other file. No torch."""

from mibounds.report.gather import ClaimResult, StudyResult, gather
from mibounds.report.page import render, require_packages, write

__all__ = ["ClaimResult", "StudyResult", "gather", "render", "require_packages", "write"]
