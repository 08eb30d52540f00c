"""Small pictures of many products, drawn with captions, defects of known types and their exact masks.

Everything follows from seeds. Products are shapes x surfaces x colours; `sets` parts them so that what
a method is measured on shares no pair of shape and surface with anything that was learnt from before.
"""
