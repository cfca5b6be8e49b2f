from __future__ import annotations

from fcn_edge.datasets.listing import listed


def test_names_are_listed_up_to_a_number() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed([1, 2, 3], 3) == "1, 2, 3"
    assert listed([1, 2, 3, 4], 3) == "1, 2, 3 and 1 more"
    assert listed(range(250)).endswith("7 and 242 more")
