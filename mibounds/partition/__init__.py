"""Sums over very many candidates without their matrix of scores."""

from mibounds.partition.both_ways import mean_log_partition_both_ways, mean_log_partition_of_pairs
from mibounds.partition.one_way import mean_log_partition
from mibounds.partition.ring import mean_log_partition_in_ring
from mibounds.partition.tiles import Block

__all__ = [
    "Block",
    "mean_log_partition",
    "mean_log_partition_both_ways",
    "mean_log_partition_in_ring",
    "mean_log_partition_of_pairs",
]
