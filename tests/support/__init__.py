"""What several tests share: processes, chains, signed acts. Fixtures that give them are in tests/conftest.py."""
