"""Perception experts: each turns an image into a calibrated reading with regions."""
