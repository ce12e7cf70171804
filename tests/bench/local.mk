# Benchmarks: built and run by hand, in a build without --enable-devel.
EXTRA_PROGRAMS += tests/bench/bench_dkim
tests_bench_bench_dkim_SOURCES = \
	tests/bench/bench_dkim.c \
	tests/conformance/dkim_make.c tests/conformance/dkim_make.h \
	tests/conformance/opendkim_whole.c \
	tests/conformance/opendkim_whole.h
tests_bench_bench_dkim_LDADD = $(LIBS_AUTH)

EXTRA_PROGRAMS += tests/bench/bench_dns
tests_bench_bench_dns_LDADD = $(LIBS_DNS)

EXTRA_PROGRAMS += tests/bench/bench_record
tests_bench_bench_record_LDADD = $(LIBS_LOG)

EXTRA_PROGRAMS += tests/bench/bench_spf
tests_bench_bench_spf_LDADD = $(LIBS_AUTH)

EXTRA_PROGRAMS += tests/bench/bench_store
tests_bench_bench_store_LDADD = $(LIBS_STORE)

EXTRA_PROGRAMS += tests/bench/null
tests_bench_null_LDADD = $(MILTER_LIBS)
EXTRA_DIST += tests/bench/auth tests/bench/run

# assayd against a filter that does nothing, and its authentication against the
# filters that it replaces, each in one run; then what DKIM, a warm name, a
# record of the verdict log and the store cost.
.PHONY: bench
bench: assayd tests/bench/null tests/bench/bench_record \
		tests/bench/bench_store tests/bench/bench_dkim \
		tests/bench/bench_dns
	$(srcdir)/tests/bench/run $(abs_builddir)
	$(srcdir)/tests/bench/auth $(abs_builddir)
	tests/bench/bench_dkim
	tests/bench/bench_dns
	tests/bench/bench_record
	tests/bench/bench_store
