"""Time zones by name."""

from __future__ import annotations

import pytest

from tasks.schedules.zones import zone_named


def test_a_time_zone_has_its_name() -> None:
    assert zone_named("Europe/Berlin").key == "Europe/Berlin"


@pytest.mark.parametrize(
    "name",
    ["Mars/Olympus", "", "../UTC", "Europe", "a\0b", "x" * 300, None, 7, ["UTC"], ("UTC",), ("Mars", "UTC")],
)
def test_what_names_no_time_zone_is_a_value_error(name: object) -> None:
    zone_named("UTC")  # a zone that is in use is found in another way
    with pytest.raises(ValueError, match="time zone"):
        zone_named(name)
