# A fuzz target: its name in FUZZERS, its LDADD and LDFLAGS.
# `make check` replays tests/fuzz/seeds/NAME/*; `make fuzz T=NAME S=seconds`.
FUZZERS =
check_PROGRAMS += $(FUZZERS)
TESTS += $(FUZZERS)
