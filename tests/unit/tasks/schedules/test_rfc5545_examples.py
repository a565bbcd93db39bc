"""All examples of RFC 5545, section 3.8.5.3, with the times that it gives.

They are as in the RFC, but for two: its erratum 3883 (the UNTIL of "every 3 hours" is four hours too early),
and EXDATE, which a todo does not have (the start of "Friday the 13th" stays).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from tasks.schedules.occurrences import check_start, occurrences
from tasks.schedules.rules import parse_rule

NEW_YORK = ZoneInfo("America/New_York")
#: All start at nine, but for the year and day.
START = "19970902"


def days(text: str) -> list[str]:
    """Such as "1997-09 2-4 30, 10 1": the days of months; a year holds until the next one."""
    found, year = [], ""
    for months in text.split(","):
        month, *numbers = months.split()
        if "-" in month:
            year, month = month.split("-")
        for number in numbers:
            first, _, last = number.partition("-")
            found += [f"{year}{month}{day:02d}" for day in range(int(first), int(last or first) + 1)]
    return found


def years(numbers: str, *dates: str) -> list[str]:
    return [f"{year}{date}" for year in numbers.split() for date in dates]


DAILY_TO_CHRISTMAS = days("1997-09 2-30, 10 1-31, 11 1-30, 12 1-23")
JANUARIES = days("1998-01 1-31, 1999-01 1-31, 2000-01 1-31")
OTHER_WEEKS = days("1997-09 1 3 5 15 17 19 29, 10 1 3 13 15 17 27 29 31, 11 10 12 14 24 26 28, 12 8 10 12 22")

EXAMPLES = [
    ("FREQ=DAILY;COUNT=10", START, days("1997-09 2-11")),
    ("FREQ=DAILY;UNTIL=19971224T000000Z", START, DAILY_TO_CHRISTMAS),
    ("FREQ=DAILY;INTERVAL=2", START, days("1997-09 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30, 10 2 4")),
    ("FREQ=DAILY;INTERVAL=10;COUNT=5", START, days("1997-09 2 12 22, 10 2 12")),
    ("FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", "19980101", JANUARIES),
    ("FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", "19980101", JANUARIES),
    ("FREQ=WEEKLY;COUNT=10", START, days("1997-09 2 9 16 23 30, 10 7 14 21 28, 11 4")),
    (
        "FREQ=WEEKLY;UNTIL=19971224T000000Z",
        START,
        days("1997-09 2 9 16 23 30, 10 7 14 21 28, 11 4 11 18 25, 12 2 9 16 23"),
    ),
    (
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        START,
        days("1997-09 2 16 30, 10 14 28, 11 11 25, 12 9 23, 1998-01 6 20"),
    ),
    (
        "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
        START,
        days("1997-09 2 4 9 11 16 18 23 25 30, 10 2"),
    ),
    ("FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", START, days("1997-09 2 4 9 11 16 18 23 25 30, 10 2")),
    ("FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", "19970901", OTHER_WEEKS),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", START, days("1997-09 2 4 16 18 30, 10 2 14 16")),
    (
        "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        "19970905",
        days("1997-09 5, 10 3, 11 7, 12 5, 1998-01 2, 02 6, 03 6, 04 3, 05 1, 06 5"),
    ),
    ("FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "19970905", days("1997-09 5, 10 3, 11 7, 12 5")),
    (
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "19970907",
        days("1997-09 7 28, 11 2 30, 1998-01 4 25, 03 1 29, 05 3 31"),
    ),
    (
        "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
        "19970922",
        days("1997-09 22, 10 20, 11 17, 12 22, 1998-01 19, 02 16"),
    ),
    ("FREQ=MONTHLY;BYMONTHDAY=-3", "19970928", days("1997-09 28, 10 29, 11 28, 12 29, 1998-01 29, 02 26")),
    (
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
        START,
        days("1997-09 2 15, 10 2 15, 11 2 15, 12 2 15, 1998-01 2 15"),
    ),
    (
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        "19970930",
        days("1997-09 30, 10 1 31, 11 1 30, 12 1 31, 1998-01 1 31, 02 1"),
    ),
    (
        "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        "19970910",
        days("1997-09 10-15, 1999-03 10-13"),
    ),
    (
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
        START,
        days("1997-09 2 9 16 23 30, 11 4 11 18 25, 1998-01 6 13 20 27, 03 3 10 17 24 31"),
    ),
    (
        "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
        "19970610",
        years("1997 1998 1999 2000 2001", "0610", "0710"),
    ),
    (
        "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
        "19970310",
        ["19970310", *years("1999 2001 2003", "0110", "0210", "0310")],
    ),
    (
        "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        "19970101",
        days(
            "1997-01 1, 04 10, 07 19, 2000-01 1, 04 9, 07 18, 2003-01 1, 04 10, 07 19, 2006-01 1",
        ),
    ),
    ("FREQ=YEARLY;BYDAY=20MO", "19970519", ["19970519", "19980518", "19990517"]),
    ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "19970512", ["19970512", "19980511", "19990517"]),
    (
        "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
        "19970313",
        days("1997-03 13 20 27, 1998-03 5 12 19 26, 1999-03 4 11 18 25"),
    ),
    (
        "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
        "19970605",
        days("1997-06 5 12 19 26, 07 3 10 17 24 31, 08 7 14 21 28, 1998-06 4 11 18 25, 07 2 9 16 23 30"),
    ),
    (
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        START,
        days("1997-09 2, 1998-02 13, 03 13, 11 13, 1999-08 13, 2000-10 13"),
    ),
    (
        "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        "19970913",
        days("1997-09 13, 10 11, 11 8, 12 13, 1998-01 10, 02 7, 03 7, 04 11, 05 9, 06 13"),
    ),
    (
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "19961105",
        ["19961105", "20001107", "20041102"],
    ),
    ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "19970904", days("1997-09 4, 10 7, 11 6")),
    (
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "19970929",
        days("1997-09 29, 10 30, 11 27, 12 30, 1998-01 29, 02 26, 03 30"),
    ),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "19970805", days("1997-08 5 10 19 24")),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "19970805", days("1997-08 5 17 19 31")),
    ("FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "20070115", days("2007-01 15 30, 02 15, 03 15 30")),
]

EVERY_20_MINUTES = [f"{hour:02d}{minute}" for hour in range(9, 17) for minute in ("00", "20", "40")]

IN_A_DAY = [
    ("FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z", [("0902", ["0900", "1200", "1500"])]),
    ("FREQ=MINUTELY;INTERVAL=15;COUNT=6", [("0902", ["0900", "0915", "0930", "0945", "1000", "1015"])]),
    ("FREQ=MINUTELY;INTERVAL=90;COUNT=4", [("0902", ["0900", "1030", "1200", "1330"])]),
    (
        "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
        [("0902", EVERY_20_MINUTES), ("0903", EVERY_20_MINUTES)],
    ),
    (
        "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
        [("0902", EVERY_20_MINUTES), ("0903", EVERY_20_MINUTES)],
    ),
]


def expanded(rule: str, day: str, count: int) -> list[str]:
    start = datetime.strptime(f"{day}0900", "%Y%m%d%H%M").replace(tzinfo=NEW_YORK).astimezone(UTC)
    check_start(parse_rule(rule), start, NEW_YORK)
    found = occurrences(parse_rule(rule), start, NEW_YORK, start - timedelta(seconds=1))
    return [f"{time.astimezone(NEW_YORK):%Y%m%dT%H%M}" for time in islice(found, count)]


@pytest.mark.parametrize(("rule", "day", "expected"), EXAMPLES)
def test_days(rule: str, day: str, expected: list[str]) -> None:
    ends = "COUNT" in rule or "UNTIL" in rule
    assert expanded(rule, day, len(expected) + ends) == [f"{each}T0900" for each in expected]


@pytest.mark.parametrize(("rule", "expected"), IN_A_DAY)
def test_times_of_day(rule: str, expected: list[tuple[str, list[str]]]) -> None:
    times = [f"1997{day}T{time}" for day, each in expected for time in each]
    ends = "COUNT" in rule or "UNTIL" in rule
    assert expanded(rule, START, len(times) + ends) == times
