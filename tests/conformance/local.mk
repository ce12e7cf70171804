# Suites of others, where they are beside the tree: skipped by name else.
check_PROGRAMS += tests/conformance/spf_driver
tests_conformance_spf_driver_LDADD = $(LIBS_AUTH)

CONFORMANCE = \
	tests/conformance/run_spf.py
TESTS += $(CONFORMANCE)
EXTRA_DIST += $(CONFORMANCE)
