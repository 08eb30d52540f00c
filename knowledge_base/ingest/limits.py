"""How much of an untrusted file is read; beyond it, a file is refused rather than cut short."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on one file and on one folder. The defaults hold the largest handbooks we know of.

    Attributes:
        file_bytes: of a file that is read piece by piece (PDF, DOCX, CSV, plain text).
        tree_bytes: of a file that is parsed as a whole (Markdown, HTML, YAML).
        member_bytes: of one unpacked part of an archive (DOCX).
        members: parts of an archive.
        pages: of a PDF.
        characters: of text taken from one file.
        passages: cut from one file.
        columns: of a table.
        cell_characters: of one cell of a CSV file.
        levels: of nesting in YAML.
        files: in a folder.
        folder_levels: of folders in a folder.
        stall_s: seconds of silence from a parser, after which its file is given up.
        file_s: seconds that the parser of one file may work in all.
        memory_bytes: address space of the parsing process, where the system can bound it.
    """

    file_bytes: int = 512_000_000
    tree_bytes: int = 16_000_000
    member_bytes: int = 128_000_000
    members: int = 10_000
    pages: int = 50_000
    characters: int = 200_000_000
    passages: int = 200_000
    columns: int = 500
    cell_characters: int = 100_000
    levels: int = 20
    files: int = 100_000
    folder_levels: int = 32
    stall_s: float = 60.0
    file_s: float = 1800.0
    memory_bytes: int = 3_000_000_000
