"""The command line, the supervisor of roles and the demo."""
