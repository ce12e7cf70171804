# Scenarios: all of tests/scenario/*.scn in one program.
check_PROGRAMS += tests/scenario/play
TESTS += tests/scenario/play
tests_scenario_play_SOURCES = tests/lib/scenario.c \
	tests/lib/fake_mta.c tests/lib/fake_mta.h \
	tests/lib/scenario_state.c tests/lib/scenario_state.h
tests_scenario_play_LDADD = tests/lib/libtap.a $(LIBS_FILTER)
EXTRA_DIST += tests/scenario
