"""What is printed on a part: lines of text off a picture, and where they differ from those of a good part.

What is read is data. Nothing here acts on what a text says.
"""

from tools.print.comparing import FEWEST, SURE, LineDifference, compare_lines, solid_characters
from tools.print.forms import fits
from tools.print.pair import read_pair, read_twice
from tools.print.places import same_place
from tools.print.reading import MOST_LINES, ReadLine, read_lines, reading_scale

__all__ = [
    "FEWEST",
    "MOST_LINES",
    "SURE",
    "LineDifference",
    "ReadLine",
    "compare_lines",
    "fits",
    "read_lines",
    "read_pair",
    "read_twice",
    "reading_scale",
    "same_place",
    "solid_characters",
]
