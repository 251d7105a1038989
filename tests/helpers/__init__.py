"""What several test suites share; nothing here is shipped."""
