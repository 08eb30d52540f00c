"""Pictures in a terminal, by the best means that it has.

`terminal.terminal_of` finds out what the terminal can; `show.picture_text` turns a picture into text.
"""
