# Tests. A unit test is one line in UNIT_<layer>; a fuzz target one line in
# FUZZ_<layer>. Each links its layer and those below.

check_LIBRARIES += tests/lib/libtap.a
tests_lib_libtap_a_SOURCES = tests/lib/tap.c tests/lib/tap.h

TEST_EXTENSIONS = .sh .py
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)'; builddir='$(builddir)'; \
	export srcdir builddir;
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/.aux/tap-driver.sh
SH_LOG_DRIVER = $(LOG_DRIVER)
# The system's own Python: it is the one that sees the packaged modules.
PY_LOG_COMPILER = /usr/bin/python3
PY_LOG_DRIVER = $(LOG_DRIVER)

if FUZZ
FUZZER_LINK = -fsanitize=fuzzer
FUZZ_LIB =
else
FUZZER_LINK =
FUZZ_LIB = tests/lib/libreplay.a
check_LIBRARIES += tests/lib/libreplay.a
tests_lib_libreplay_a_SOURCES = tests/lib/replay.c
endif

include tests/unit/local.mk
include tests/scenario/local.mk
include tests/milter/local.mk
include tests/cli/local.mk
include tests/service/local.mk
include tests/bench/local.mk
include tests/contract/local.mk
include tests/fuzz/local.mk
include tests/conformance/local.mk
include tests/report/local.mk
