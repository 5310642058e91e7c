"""Active and standby: who may serve, decided without clocks."""

from rmimom.cluster.configuration import Configuration
from rmimom.cluster.member import Member

__all__ = ["Configuration", "Member"]
