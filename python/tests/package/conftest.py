"""What many tests of the package start from."""

import pytest

from common import ranks
from shardspec import ChunkShardingSpec


@pytest.fixture
def rows():
    """Who owns what of a 5 x 3 tensor cut by rows over 4 ranks; the last has nothing."""
    return ChunkShardingSpec(dim=0, placements=ranks(4)).build_metadata((5, 3))
