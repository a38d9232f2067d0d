"""Consumer groups as the broker sees them: who is a member, and which partitions each has."""

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment


async def members(admin: AIOKafkaAdminClient, group: str) -> dict[str, list[TopicPartition]]:
    """The partitions of each member of `group`, by its id; none while a rebalance runs.

    Raises:
        KafkaError: the broker does not tell.
    """
    # One group a request: aiokafka 0.14 misreads what follows the first group of an answer.
    (answer,) = await admin.describe_consumer_groups([group])
    _, _, _, _, _, found, *_ = answer.groups[0]
    return {member: _partitions(assignment) for member, _, _, _, assignment in found}


def _partitions(assignment: bytes) -> list[TopicPartition]:
    return ConsumerProtocolMemberAssignment.decode(assignment).partitions() if assignment else []
