# The command and assayd's options as programs and people use them.
TESTS += tests/cli/test_cli.py
EXTRA_DIST += tests/cli/test_cli.py
