"""Tables, figures and HTML pages from results and codes."""

from sepclr.reports.check_page import CheckPage, write_check_page
from sepclr.reports.comparison import Comparison, compare
from sepclr.reports.console import print_certificate, print_comparison, print_separation
from sepclr.reports.dots import svg
from sepclr.reports.drawn import as_svg
from sepclr.reports.features import read_features
from sepclr.reports.length import draw_length
from sepclr.reports.page import Page, RunView, write_page
from sepclr.reports.removal_page import RemovalPage, removal_cells, swap_cells, write_removal_page
from sepclr.reports.scores import predicted
from sepclr.reports.seeds import SeedsView, agreement_cells, agreement_sentence, score_cells
from sepclr.reports.shown import decoded, pictures, selection, shown_images
from sepclr.reports.signs import signs
from sepclr.reports.table_page import write_table_page
from sepclr.reports.tables import comparison_markdown, markdown, plain, spread

__all__ = [
    "CheckPage",
    "Comparison",
    "Page",
    "RemovalPage",
    "RunView",
    "SeedsView",
    "agreement_cells",
    "agreement_sentence",
    "as_svg",
    "compare",
    "comparison_markdown",
    "decoded",
    "draw_length",
    "markdown",
    "pictures",
    "plain",
    "predicted",
    "print_certificate",
    "print_comparison",
    "print_separation",
    "read_features",
    "removal_cells",
    "score_cells",
    "selection",
    "shown_images",
    "signs",
    "spread",
    "svg",
    "swap_cells",
    "write_check_page",
    "write_page",
    "write_removal_page",
    "write_table_page",
]
