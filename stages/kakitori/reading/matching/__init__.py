"""What is wrong with a character that someone wrote, and what else it looks like.

shapes.py knows points, pairing.py numbers, fitting.py which stroke is which, alikes.py what else
it may be, judging.py what is wrong, words.py how to say it. Needs NumPy alone.
"""

from kakitori.reading.matching.alikes import Looks, look_alikes
from kakitori.reading.matching.judging import STRICTNESS, USUAL, Match, match
from kakitori.reading.matching.words import in_words, these

__all__ = ["STRICTNESS", "USUAL", "Looks", "Match", "in_words", "look_alikes", "match", "these"]
