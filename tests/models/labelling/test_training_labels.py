"""What is kept apart of labelled scenes that have no split."""

from pathlib import Path

import numpy as np
import pytest

from models.labelling.scenes import FEWEST
from models.labelling.training_labels import train_and_test
from reco.errors import LabellingError
from tests.models.labelling.test_scenes import folders


@pytest.mark.parametrize("seed", range(6))
def test_a_fifth_is_kept_apart_and_nothing_of_a_class_that_has_just_enough(tmp_path: Path, seed: int) -> None:
    folders(tmp_path, {"bar": FEWEST, "coast": 20, "harbor": FEWEST})
    split = train_and_test(tmp_path, seed)
    assert np.bincount(split.test.labels, minlength=3).tolist() == [0, 4, 0]
    assert np.bincount(split.train.labels).tolist() == [FEWEST, 16, FEWEST]


def test_scenes_of_which_nothing_can_be_kept_apart_are_refused(tmp_path: Path) -> None:
    folders(tmp_path, {"bar": FEWEST, "coast": FEWEST})
    with pytest.raises(LabellingError, match="too few pictures to keep some apart"):
        train_and_test(tmp_path)
