"""What is measured of each place that differs, and which documented defect it may be."""
