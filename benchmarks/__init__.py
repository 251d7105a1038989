"""What measures speed. Never part of the tests: machines differ, and are shared."""
