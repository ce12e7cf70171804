# The command and assayd's options as programs and people use them.
TESTS += tests/cli/test_cli.py
EXTRA_DIST += tests/cli/test_cli.py

# What may be wrong with an installation.
TESTS += tests/cli/test_doctor.py
EXTRA_DIST += tests/cli/test_doctor.py

# The verdict log on the command line; the helper writes one.
check_PROGRAMS += tests/cli/write_verdicts
tests_cli_write_verdicts_LDADD = $(LIBS_FILTER)
TESTS += tests/cli/test_log.py
EXTRA_DIST += tests/cli/test_log.py

# Training and what it is worth.
TESTS += tests/cli/test_learn.py
EXTRA_DIST += tests/cli/test_learn.py

# The control socket and its peers; what root leaves behind.
TESTS += tests/cli/test_control.py
EXTRA_DIST += tests/cli/test_control.py

# Seals and chains.
TESTS += tests/cli/test_arc.py
EXTRA_DIST += tests/cli/test_arc.py

# Private keys and what is done with them.
TESTS += tests/cli/test_dkim.py
EXTRA_DIST += tests/cli/test_dkim.py
