"""A broker's address in one line."""

from __future__ import annotations

import pytest

from workers import Cluster, KafkaBroker
from workers.broker.url import BrokerUrl, parse
from workers.errors import InvalidUrl, WrongUsage


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("kafka://kafka", BrokerUrl(Cluster(("kafka:9092",)))),
        ("kafka://a:1,b,[::1]:3/", BrokerUrl(Cluster(("a:1", "b:9092", "[::1]:3")))),
        ("kafka://a/shop?partitions=12&replication_factor=3", BrokerUrl(Cluster(("a:9092",)), "shop", 12, 3)),
        ("kafkas://a", BrokerUrl(Cluster(("a:9092",), security_protocol="SSL"))),
        (
            "kafka://ana:p%40ss:w%2Frd@a:1,b/shop?connect_timeout_s=2.5&send_timeout_s=9",
            BrokerUrl(
                Cluster(
                    ("a:1", "b:9092"),
                    security_protocol="SASL_PLAINTEXT",
                    sasl_mechanism="PLAIN",
                    username="ana",
                    password="p@ss:w/rd",
                    connect_timeout_s=2.5,
                    send_timeout_s=9,
                ),
                "shop",
            ),
        ),
        (
            "kafkas://ana:secret@a?sasl_mechanism=SCRAM-SHA-512&ca_file=/etc/ca.pem",
            BrokerUrl(
                Cluster(
                    ("a:9092",),
                    security_protocol="SASL_SSL",
                    sasl_mechanism="SCRAM-SHA-512",
                    username="ana",
                    password="secret",
                    ca_file="/etc/ca.pem",
                )
            ),
        ),
    ],
)
def test_a_url_says_where_kafka_is_and_who_we_are(url: str, meant: BrokerUrl) -> None:
    assert parse(url) == meant


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://a", "must with kafka://"),
        ("kafka:9092", "no host"),
        ("kafka://", "no host"),
        ("kafka://a,,b", "no host"),
        ("kafka://a:x", "names the host 'a:x'"),
        ("kafka://a:99999", "names the host 'a:99999'"),
        ("kafka://a?partition=8", "has 'partition'; it may have .*partitions"),
        ("kafka://a?partitions=many", "partitions='many', which is no number"),
        ("kafka://a?partitions=0", "not above 0"),
        ("kafka://a?send_timeout_s=nan", "not above 0"),
        ("kafka://a?connect_timeout_s=inf", "not above 0 and finite"),
        ("kafka://a?sasl_mechanism=PLAIN", "no user"),
        ("kafka://[a", "cannot be read"),
    ],
)
def test_a_url_that_says_something_else_is_refused_with_words(url: str, words: str) -> None:
    with pytest.raises(InvalidUrl, match=words):
        parse(url)


def test_no_error_shows_the_password() -> None:
    with pytest.raises(InvalidUrl) as raised:
        parse("kafka://ana:secret@a:x")
    assert "secret" not in str(raised.value)


def test_a_broker_is_made_of_its_url() -> None:
    broker = KafkaBroker(url="kafka://a:1/shop?partitions=3", middleware=[])
    broker.declare_queue("default")
    assert broker.cluster == Cluster(("a:1",))
    assert broker.topics.namespace == "shop"
    assert {spec.partitions for spec in broker.topic_specs() if "jobs" in spec.name} == {3}


def test_a_url_beside_a_cluster_is_refused() -> None:
    """The URL was taken, and the cluster that was given with its login was left out in silence."""
    with pytest.raises(WrongUsage, match="a cluster or a url, not both"):
        KafkaBroker(Cluster(("a:1",)), url="kafka://b")


def test_what_a_url_leaves_out_is_as_the_other_parameters_say() -> None:
    broker = KafkaBroker(url="kafka://a", namespace="mine", partitions=5)
    broker.declare_queue("default")
    assert broker.topics.namespace == "mine"
    assert {spec.partitions for spec in broker.topic_specs() if "jobs" in spec.name} == {5}


def test_from_url_makes_the_same_broker() -> None:
    broker = KafkaBroker.from_url("kafka://a/shop", run_mover=False)
    assert (broker.cluster.address, broker.topics.namespace) == ("a:9092", "shop")
