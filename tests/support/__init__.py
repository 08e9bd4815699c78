"""What several tests share: processes, a stack, actors. The fixtures are in tests/conftest.py."""
