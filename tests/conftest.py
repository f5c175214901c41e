"""Makes this directory importable, so that tests of every folder say `from servers import ...`."""
