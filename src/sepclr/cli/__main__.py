"""``python -m sepclr.cli``."""

import sys

from sepclr.cli import main

sys.exit(main())
