"""Programs and their starter: no tests."""

collect_ignore_glob = ["*.py"]
