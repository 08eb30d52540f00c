"""Good images: which of them is most like the part in front of us, and which product it is."""

from knowledge_base.templates.catalogue import NewTemplate, StoredTemplate
from knowledge_base.templates.duplicates import Fingerprint
from knowledge_base.templates.embedding import Embedder, Image, Vectors, turned_image
from knowledge_base.templates.folder import SUFFIXES, LoadedTemplates, TemplateLibrary
from knowledge_base.templates.index import Choice, Template, TemplateChoice, Templates
from knowledge_base.templates.recognition import Mismatch, Recognition
from knowledge_base.templates.sifting import Seen, Sifted
from knowledge_base.templates.store import ProductTemplates, TemplateStore

__all__ = [
    "SUFFIXES",
    "Choice",
    "Embedder",
    "Fingerprint",
    "Image",
    "LoadedTemplates",
    "Mismatch",
    "NewTemplate",
    "ProductTemplates",
    "Recognition",
    "Seen",
    "Sifted",
    "StoredTemplate",
    "Template",
    "TemplateChoice",
    "TemplateLibrary",
    "TemplateStore",
    "Templates",
    "Vectors",
    "turned_image",
]
