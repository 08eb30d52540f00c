"""The inspection agent: settings, wiring, Python API and command line."""
