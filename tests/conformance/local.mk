# Suites of others, where they are beside the tree: skipped by name else.
check_PROGRAMS += tests/conformance/arc_driver
tests_conformance_arc_driver_SOURCES = \
	tests/conformance/arc_driver.c \
	tests/conformance/driver.c tests/conformance/driver.h
tests_conformance_arc_driver_LDADD = $(LIBS_AUTH)

check_PROGRAMS += tests/conformance/dkim_driver
tests_conformance_dkim_driver_SOURCES = \
	tests/conformance/dkim_driver.c \
	tests/conformance/driver.c tests/conformance/driver.h
tests_conformance_dkim_driver_LDADD = $(LIBS_AUTH)

check_PROGRAMS += tests/conformance/dmarc_driver
tests_conformance_dmarc_driver_SOURCES = \
	tests/conformance/dmarc_driver.c \
	tests/conformance/driver.c tests/conformance/driver.h
tests_conformance_dmarc_driver_LDADD = $(LIBS_AUTH)

check_PROGRAMS += tests/conformance/spf_driver
tests_conformance_spf_driver_SOURCES = \
	tests/conformance/spf_driver.c \
	tests/conformance/driver.c tests/conformance/driver.h
tests_conformance_spf_driver_LDADD = $(LIBS_AUTH)

CONFORMANCE = \
	tests/conformance/run_arc.py \
	tests/conformance/run_dkim.py \
	tests/conformance/run_dkim_against.py \
	tests/conformance/run_dkim_python.py \
	tests/conformance/run_dmarc.py \
	tests/conformance/run_report.py \
	tests/conformance/run_report_read.py \
	tests/conformance/run_sign.py \
	tests/conformance/run_spf.py \
	tests/conformance/run_spf_second.py \
	tests/conformance/run_spf_wire.py
TESTS += $(CONFORMANCE)
EXTRA_DIST += $(CONFORMANCE)

check_PROGRAMS += tests/conformance/dkim_against
tests_conformance_dkim_against_SOURCES = \
	tests/conformance/dkim_against.c \
	tests/conformance/dkim_classes.c tests/conformance/dkim_classes.h \
	tests/conformance/dkim_make.c tests/conformance/dkim_make.h \
	tests/conformance/driver.c tests/conformance/driver.h \
	tests/conformance/opendkim_whole.c \
	tests/conformance/opendkim_whole.h
tests_conformance_dkim_against_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
EXTRA_DIST += $(CONFORMANCE) tests/lib/spf_suite.py

check_PROGRAMS += tests/conformance/opendkim_driver
tests_conformance_opendkim_driver_SOURCES = \
	tests/conformance/opendkim_driver.c \
	tests/conformance/driver.c tests/conformance/driver.h \
	tests/conformance/opendkim_whole.c \
	tests/conformance/opendkim_whole.h
tests_conformance_opendkim_driver_LDADD = $(LIBS_AUTH)
