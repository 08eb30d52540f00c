"""Which components a part has and where, and how that departs from a good part.

Patch distances see that something differs; they neither count nor say that a whole thing is gone, is there
once too often, or lies somewhere else.
"""
