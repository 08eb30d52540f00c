"""MMAD's domain knowledge, looked up as the benchmark does: by the class of the image.

Near-oracle: the entries of a class name and describe the defects that its test images show. Whatever was
answered with them must say so.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from evals.errors import DatasetInvalid
from evals.types import Case

FILE = "domain_knowledge.json"
"""How MMAD calls the file, which lies beside `mmad.json`."""

_FORM = TypeAdapter(dict[str, dict[str, dict[str, str]]])
_ALSO_CALLED = {"DS-MVTec": "MVTec"}
"""Data sets whose knowledge stands under another name."""


class DomainKnowledge:
    """Entries by data set and class.

    Args:
        file: `domain_knowledge.json`: data set -> class -> entry -> text.

    Raises:
        DatasetInvalid: it cannot be read, or is of another form.
    """

    def __init__(self, file: Path) -> None:
        try:
            self._entries = _FORM.validate_json(file.read_bytes())
        except OSError as error:
            raise DatasetInvalid(
                f"{file} cannot be read ({error.strerror}); class-keyed knowledge needs MMAD's {FILE}: "
                "give --domain-knowledge FILE"
            ) from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]["msg"].lower()
            raise DatasetInvalid(f"{file} holds no data set -> class -> entry -> text ({first})") from error
        self._file = file

    def of(self, case: Case) -> dict[str, str]:
        """The entries of a case's class, by name.

        Raises:
            DatasetInvalid: the file has none of this class.
        """
        dataset = _ALSO_CALLED.get(case.dataset, case.dataset)
        try:
            return self._entries[dataset][case.category]
        except KeyError:
            raise DatasetInvalid(
                f"{self._file} says nothing of {dataset}/{case.category}; use --knowledge retrieved or none"
            ) from None
