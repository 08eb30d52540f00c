"""Reports as files of other tools: COCO, Label Studio, labelme, mask pictures.

Every coordinate is in pixels of the image after its EXIF orientation was applied, as everywhere in a report.
"""
