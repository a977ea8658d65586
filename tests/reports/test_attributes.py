from __future__ import annotations

import numpy as np

from sepclr.reports.attributes import caption, shown_attributes


def test_a_missing_value_is_no_class():
    is_target = np.array([False, True, True])
    shown = shown_attributes({"site": np.array(["", "A", "B"])}, is_target, ["site"], [], {})
    assert shown[0].names == ("A", "B")
    assert np.isnan(shown[0].values[0])
    assert shown[0].text == ("", "A", "B")
    assert [caption(shown, index) for index in range(2)] == ["background", "target, site A"]
