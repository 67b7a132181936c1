"""`make bench`: measurements, never part of the tests."""
