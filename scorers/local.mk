# The scorers of the product. A new one is its file and its word here.
SCORERS = spf dkim dmarc arc dnsbl urlbl bayes reputation headers mime

noinst_LIBRARIES += scorers/libscorers.a
scorers_libscorers_a_SOURCES = \
	scorers/arc.c \
	scorers/bayes.c \
	scorers/dkim.c \
	scorers/dmarc.c \
	scorers/dnsbl.c \
	scorers/headers.c \
	scorers/listed.c \
	scorers/listed.h \
	scorers/mime.c \
	scorers/reputation.c \
	scorers/scorer.h \
	scorers/spf.c \
	scorers/urlbl.c
nodist_scorers_libscorers_a_SOURCES = scorers/table.c
BUILT_SOURCES += scorers/table.c
CLEANFILES += scorers/table.c scorers/table-sample.c

# The same with the commented example, for tests only.
check_LIBRARIES += scorers/libsample.a
scorers_libsample_a_SOURCES = $(scorers_libscorers_a_SOURCES) scorers/sample.c
nodist_scorers_libsample_a_SOURCES = scorers/table-sample.c

SCORER_TABLE = \
	$(MKDIR_P) scorers && { \
	echo '/* Made from SCORERS in scorers/local.mk. */'; \
	printf "\043include \"scorers/scorer.h\"\n"; echo; \
	for s in $$list; do \
		echo "extern const struct scorer scorer_$$s;"; done; \
	echo; echo 'const struct scorer *const scorers[] = {'; \
	for s in $$list; do echo "    &scorer_$$s,"; done; \
	echo '    NULL,'; echo '};'; } >$@.tmp && mv $@.tmp $@

scorers/table.c: $(srcdir)/scorers/local.mk
	$(AM_V_GEN)list='$(SCORERS)'; $(SCORER_TABLE)
scorers/table-sample.c: $(srcdir)/scorers/local.mk
	$(AM_V_GEN)list='$(SCORERS) sample'; $(SCORER_TABLE)
