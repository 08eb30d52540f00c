"""Defects drawn into pictures of good parts, with masks: for those who have many good parts and few bad ones.

Four kinds, each after a published method: `nsa` blends a patch of another good part in, `cutpaste` pastes a
piece of the part itself, `perlin` lays a foreign texture over clouds of noise, `geometric` takes a component
away, adds one, moves one, or bends the part.
"""
