# Benchmarks: built and run by hand, in a build without --enable-devel.
EXTRA_PROGRAMS += tests/bench/bench_dns
tests_bench_bench_dns_LDADD = $(LIBS_DNS)
