"""`agent simulate`: a folder of good pictures becomes one of good and damaged ones, with masks."""
