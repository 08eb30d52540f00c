"""Folders of pictures of good and damaged parts, with masks: what there is to learn from."""
