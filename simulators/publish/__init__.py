"""The ways of messages to a broker: one by one for normal use, in bulk for load, and as Sparkplug's edge nodes."""

from simulators.publish.base import Progress, Publisher
from simulators.publish.bulk import BulkPublisher
from simulators.publish.edges import EdgePublisher
from simulators.publish.steady import SteadyPublisher

__all__ = ["BulkPublisher", "EdgePublisher", "Progress", "Publisher", "SteadyPublisher"]
