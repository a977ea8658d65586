"""Rows and codes in, table, figure or page out."""

from sepclr.reports.console import print_separation
from sepclr.reports.page import Page, RunView, write_page

__all__ = ["Page", "RunView", "print_separation", "write_page"]
