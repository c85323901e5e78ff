"""Pictures that no recogniser knows."""

import numpy as np

from kakitori.export import strangers
from kakitori.reading.characters import charset


def test_they_are_ink_and_the_same_from_the_same_seed():
    images = strangers.images(12, 64, 3)
    assert images.shape == (12, 64, 64) and images.dtype == np.uint8
    assert (images.max((1, 2)) > 200).all() and (images.mean((1, 2)) < 128).all()
    assert (images == strangers.images(12, 64, 3)).all()
    assert not (images == strangers.images(12, 64, 4)).all((1, 2)).any()


def test_words_have_letters_of_other_scripts():
    latin = charset.alphabets()["latin"]
    for alphabet in strangers.ALPHABETS:
        foreign = set(alphabet) - set(latin)
        assert not foreign & set(charset.etl_repertoire())
    assert strangers.LETTERS[0] > 2, "a word, since a letter may be a class"
