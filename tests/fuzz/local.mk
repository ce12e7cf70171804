# A fuzz target: its name in FUZZERS, its LDADD and LDFLAGS.
# `make check` replays tests/fuzz/seeds/NAME/*; `make fuzz T=NAME S=seconds`.
FUZZERS =
check_PROGRAMS += $(FUZZERS)
TESTS += $(FUZZERS)

FUZZERS += tests/fuzz/fuzz_conf
tests_fuzz_fuzz_conf_LDADD = $(FUZZ_LIB) $(LIBS_CONF)
tests_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_rule
tests_fuzz_fuzz_rule_LDADD = $(FUZZ_LIB) $(LIBS_RULE)
tests_fuzz_fuzz_rule_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)
