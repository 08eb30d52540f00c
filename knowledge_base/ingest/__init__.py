"""Reads people's files into passages that can be cited: Markdown, text, YAML, PDF, DOCX, HTML, CSV and TSV.

A file goes through three hands: its format is read into `blocks` (headings, paragraphs, rows) in a process of
its own (`parsing`, `worker`), the blocks are cut into pieces (`cutting`), and the pieces become passages with
their provenance (`read`). A folder is walked one file at a time, and a file is read one block at a time.
"""

from __future__ import annotations

from knowledge_base.ingest.folder import Remark
from knowledge_base.ingest.limits import Limits
from knowledge_base.ingest.product_document import is_product_document
from knowledge_base.ingest.read import read_sources

__all__ = ["Limits", "Remark", "is_product_document", "read_sources"]
