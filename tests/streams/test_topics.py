"""The topics: how long each is kept, and where a visitor lives in them."""

import pytest

from reco.parameters import DAY
from streams.dead_letters import MAX_VALUE_BYTES
from streams.settings import Topics
from streams.topics import Topic, topic_set

TOPICS = topic_set(Topics())


def names(topics: list[Topic]) -> list[str]:
    return [topic.name for topic in topics]


def test_there_are_seven_topics_in_the_order_of_the_flow() -> None:
    assert names(list(TOPICS)) == [
        "events",
        "sales",
        "sale-labels",
        "sessions",
        "recommendations",
        "releases",
        "dead-letters",
    ]


@pytest.mark.parametrize("partitions", [1, 4, 12])
def test_a_visitor_has_the_same_partition_of_events_sessions_and_recommendations(partitions: int) -> None:
    topics = topic_set(Topics(partitions=partitions))
    assert (
        topics.events.partitions
        == topics.sessions.partitions
        == topics.recommendations.partitions
        == partitions
    )


def test_a_sale_has_the_same_partition_of_sales_and_labels() -> None:
    topics = topic_set(Topics(partitions=8))
    assert topics.sales.partitions == topics.sale_labels.partitions == 8


def test_releases_are_in_one_partition_so_that_they_have_an_order() -> None:
    assert topic_set(Topics(partitions=8)).releases.partitions == 1


def test_every_topic_has_the_prefix_and_the_replication_of_the_settings() -> None:
    topics = list(topic_set(Topics(prefix="shop-", replication=3)))
    assert names(topics) == [f"shop-{name}" for name in names(list(TOPICS))]
    assert {topic.replication for topic in topics} == {3}


def test_every_record_has_the_time_of_the_broker() -> None:
    assert {topic.config["message.timestamp.type"] for topic in TOPICS} == {"LogAppendTime"}


@pytest.mark.parametrize(("replication", "fewest"), [(1, "1"), (2, "1"), (3, "2")])
def test_with_three_replicas_a_record_is_on_two_brokers_before_it_is_acknowledged(
    replication: int, fewest: str
) -> None:
    topics = topic_set(Topics(replication=replication))
    assert {topic.config["min.insync.replicas"] for topic in topics} == {fewest}


def test_events_are_kept_for_ever() -> None:
    config = TOPICS.events.config
    assert (config["cleanup.policy"], config["retention.ms"], config["retention.bytes"]) == (
        "delete",
        "-1",
        "-1",
    )


@pytest.mark.parametrize("topic", [TOPICS.sales, TOPICS.sale_labels, TOPICS.sessions, TOPICS.releases])
def test_what_has_a_newest_state_is_compacted_and_never_deleted_by_age(topic: Topic) -> None:
    assert topic.config["cleanup.policy"] == "compact"
    assert "retention.ms" not in topic.config


@pytest.mark.parametrize(
    "topic", [one for one in TOPICS if "compact" in one.config.get("cleanup.policy", "")]
)
def test_what_is_compacted_keeps_everything_of_the_last_day(topic: Topic) -> None:
    assert topic.config["min.compaction.lag.ms"] == str(DAY)


def test_an_erasure_stays_among_the_sessions_for_thirty_days() -> None:
    assert TOPICS.sessions.config["delete.retention.ms"] == str(30 * DAY)


def test_lists_are_compacted_and_gone_after_thirty_days() -> None:
    config = TOPICS.recommendations.config
    assert config["cleanup.policy"] == "compact,delete"
    assert config["retention.ms"] == str(30 * DAY)


def test_dead_letters_are_kept_for_thirty_days_and_hold_the_largest_refused_record() -> None:
    config = TOPICS.dead_letters.config
    assert config["retention.ms"] == str(30 * DAY)
    assert config["cleanup.policy"] == "delete"
    assert int(config["max.message.bytes"]) == 4 * 1024 * 1024
    assert MAX_VALUE_BYTES == 3.75 * 1024 * 1024
