"""Each member has its share of each topic, keeps what it owns, and is dealt the same again."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from workers.kafka.dealing import deal

TOPICS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 12).map(range), max_size=6)
MEMBERS = st.integers(1, 7).map(lambda count: [f"m{number}" for number in range(count)])


@st.composite
def groups(draw: st.DrawFn, same: bool = False):  # type: ignore[no-untyped-def]
    """Topics, what each member wants, and what each owns: any part of the topics, of which some are gone."""
    topics, members = draw(TOPICS), draw(MEMBERS)
    wanted = {
        member: set(topics) if same else draw(st.sets(st.sampled_from("abcdefg"))) for member in members
    }
    owned: dict[str, dict[str, list[int]]] = {}
    for topic in sorted(topics):
        for number in range(14):
            owner = draw(st.sampled_from([*members, "gone", ""]))
            owned.setdefault(owner, {}).setdefault(topic, []).append(number)
    return topics, wanted, owned


@given(groups())
def test_each_partition_has_one_owner_who_wants_it_and_each_topic_is_even(group) -> None:  # type: ignore[no-untyped-def]
    topics, wanted, owned = group
    dealt = deal(topics, wanted, owned)
    assert dealt.keys() == wanted.keys()
    for topic, numbers in topics.items():
        shares = {member: dealt[member].get(topic, []) for member in wanted if topic in wanted[member]}
        given_out = [number for share in shares.values() for number in share]
        assert sorted(given_out) == (sorted(numbers) if shares else [])
        sizes = [len(share) for share in shares.values()]
        assert not sizes or max(sizes) - min(sizes) <= 1
        for member, share in shares.items():
            had = set(owned.get(member, {}).get(topic, ())) & set(numbers)
            # Nobody gives up one partition and takes another of the same topic.
            assert had <= set(share) or set(share) <= had
    assert all(set(dealt[member]) <= wanted[member] & topics.keys() for member in wanted)


@given(groups())
def test_the_same_members_again_are_dealt_the_same(group) -> None:  # type: ignore[no-untyped-def]
    topics, wanted, owned = group
    dealt = deal(topics, wanted, owned)
    assert deal(topics, wanted, dealt) == dealt


@given(groups(same=True))
def test_where_all_want_the_same_the_sums_are_even_too(group) -> None:  # type: ignore[no-untyped-def]
    dealt = deal(*group)
    sums = Counter({member: sum(map(len, each.values())) for member, each in dealt.items()})
    assert max(sums.values()) - min(sums.values()) <= 1
