"""The fleet as arrays: pure, vectorised, seeded physics. No I/O, no asyncio, no wall clock."""
