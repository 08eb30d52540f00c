"""Errors that the tools raise on purpose. Anything else that escapes from a tool is a bug.

    ToolError                       kind
    ├── ImageError                  image            the picture cannot be used as it is
    │   ├── ImageMissing            image_missing
    │   ├── ImageUnreadable         image_unreadable
    │   ├── MaskUnusable            mask_unusable
    │   └── ImageTooLarge           image_too_large
    ├── ArtifactError               artifact         a picture or an array cannot be kept or found on disk
    ├── ExpertError                 expert           a measurement cannot be made
    │   ├── ExpertUnavailable       expert_unavailable   weights or a package are missing
    │   └── ViewMismatch            view_mismatch        query and reference do not show the same view
    ├── TranscriptUnreadable        transcript       what a model saw and said is not on record here
    ├── DialogueBroken              dialogue         a scripted model is asked what its script does not say
    ├── PrintReaderUnavailable      print_reader_unavailable   the reader of print cannot be loaded
    ├── LearningError               learning         data cannot be learnt from, or learning broke off
    ├── SimulationError             simulation       a defect cannot be drawn into a picture
    │   ├── SimulationImpossible    simulation_impossible  the kind or the picture does not allow it
    │   └── NothingVisible          nothing_visible        it was tried, and nothing of it could be seen
    └── VlmError                    vlm              the model did not give a usable answer
        ├── VlmUnreachable          vlm_unreachable      no connection              (retryable)
        ├── VlmTimeout              vlm_timeout          no answer in time          (retryable)
        ├── VlmServerError          vlm_server_error     5xx or 429                 (retryable)
        ├── VlmRejected             vlm_rejected         4xx: the request itself
        ├── VlmRefused              vlm_refused          the model declined
        ├── VlmTruncated            vlm_truncated        finish_reason is "length"
        └── VlmInvalid              vlm_invalid          reply breaks its schema    (retryable)
            └── VlmEmpty            vlm_invalid          reply holds no text        (retryable)

Each message is one line that says what is wrong and what to do about it.
"""

from __future__ import annotations

from typing import ClassVar


class ToolError(Exception):
    """Base of every error a tool raises on purpose; `kind` is its stable name in faults."""

    kind: ClassVar[str] = "tool"
    retryable: ClassVar[bool] = False


class ImageError(ToolError):
    """The picture cannot be used as it is."""

    kind = "image"


class ImageMissing(ImageError):
    """There is no readable file at this path."""

    kind = "image_missing"


class ImageUnreadable(ImageError):
    """The file is there, but it is not a picture that can be decoded whole."""

    kind = "image_unreadable"


class ImageTooLarge(ImageError):
    """The picture is over the pixel limit; it was refused before it was decoded."""

    kind = "image_too_large"


class MaskUnusable(ImageError):
    """A region of interest or a mask of defects does not fit the image that it was given for."""

    kind = "mask_unusable"


class ArtifactError(ToolError):
    """A picture or an array of an inspection cannot be written to disk, or is not there to be read."""

    kind = "artifact"


class TranscriptUnreadable(ToolError):
    """The record of what a model was shown and said is missing, or is none."""

    kind = "transcript"


class DialogueBroken(ToolError):
    """A dialogue cannot be read, is over, or expects another question."""

    kind = "dialogue"


class ExpertError(ToolError):
    """A measurement cannot be made."""

    kind = "expert"


class ExpertUnavailable(ExpertError):
    """The expert lacks its weights or a package; the message says which and how to get them."""

    kind = "expert_unavailable"


class ViewMismatch(ExpertError):
    """Query and reference do not show the same view, so that they cannot be compared place by place."""

    kind = "view_mismatch"


class PrintReaderUnavailable(ToolError):
    """Printed text cannot be read here: the reader's package or weights are missing."""

    kind = "print_reader_unavailable"


class SimulationError(ToolError):
    """A defect cannot be drawn into a picture."""

    kind = "simulation"


class SimulationImpossible(SimulationError):
    """The picture does not allow this kind of defect, however often it is tried."""

    kind = "simulation_impossible"


class NothingVisible(SimulationError):
    """A defect was drawn several times, and nothing of it could be seen."""

    kind = "nothing_visible"


class LearningError(ToolError):
    """What is to be learnt from cannot be used, or learning came to nothing."""

    kind = "learning"


class VlmError(ToolError):
    """The vision-language model did not give a usable answer."""

    kind = "vlm"


class VlmUnreachable(VlmError):
    """No connection to the endpoint."""

    kind = "vlm_unreachable"
    retryable = True


class VlmTimeout(VlmError):
    """The endpoint did not answer in time."""

    kind = "vlm_timeout"
    retryable = True


class VlmServerError(VlmError):
    """The endpoint failed on its side (5xx) or asked to slow down (429)."""

    kind = "vlm_server_error"
    retryable = True


class VlmRejected(VlmError):
    """The endpoint refused the request itself (4xx): sending it again cannot help."""

    kind = "vlm_rejected"


class VlmRefused(VlmError):
    """The model declined to answer."""

    kind = "vlm_refused"


class VlmTruncated(VlmError):
    """The reply hit its token limit before it was complete; the same request would hit it again.

    `text` is what had come by then, for callers to whom a part is of use.
    """

    kind = "vlm_truncated"
    text: str = ""


class VlmInvalid(VlmError):
    """The reply does not keep to its schema, or points outside the image."""

    kind = "vlm_invalid"
    retryable = True


class VlmEmpty(VlmInvalid):
    """The reply holds no text."""
