"""Reads people's files into passages that can be cited: Markdown, text, YAML, PDF, DOCX, HTML, CSV and TSV.

A file goes through three hands: its format is read into `blocks` (headings, paragraphs, rows) in a process of
its own (`parsing`, `worker`), the blocks are cut into pieces (`cutting`), and the pieces become passages with
their provenance (`read`). A folder is walked one file at a time, and a file is read one block at a time.

Begin with `knowledge_base.ingest.read.read_sources`. Nothing is imported here: the parsing process would pay.
"""
