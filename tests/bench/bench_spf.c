/*
 * What an evaluation of SPF costs with warm answers: a few usual records, with
 * an arena and a batch for each as a message has. `bench_spf [threads]` prints
 * nanoseconds of CPU an evaluation; for several threads together those of the
 * process.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "filter/auth/spf.h"

#define ROUNDS 100000
#define THREADS_MAX 64

static const char zone[] =
    "net.example. TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n"
    "long.example. TXT \"v=spf1 ip4:203.0.113.0/28 ip4:203.0.113.32/28 "
    "ip4:203.0.113.64/28 ip4:203.0.113.96/28 ip6:2001:db8:1::/48 "
    "ip6:2001:db8:2::/48 ip4:198.51.100.7 a:host.example -all\"\n"
    "host.example. A 192.0.2.1\n"
    "mx.example. TXT \"v=spf1 mx ~all\"\n"
    "mx.example. MX 10 other.example.\n"
    "mx.example. MX 20 host.example.\n"
    "other.example. A 198.51.100.9\n"
    "nested.example. TXT \"v=spf1 include:a.example include:long.example "
    "~all\"\n"
    "a.example. TXT \"v=spf1 include:b.example ?all\"\n"
    "b.example. TXT \"v=spf1 ip4:198.51.100.0/24 ~all\"\n"
    "fail.example. TXT \"v=spf1 ip4:198.51.100.0/24 exists:%{ir}.x.example "
    "-all\"\n";

static const struct {
	const char *name;
	struct span from;
	enum spf_result result;
} cases[] = {
    {"no record", SPAN("ann@host.example"), SPF_NONE},
    {"ip4", SPAN("ann@net.example"), SPF_PASS},
    {"networks, a", SPAN("ann@long.example"), SPF_PASS},
    {"mx", SPAN("ann@mx.example"), SPF_PASS},
    {"three includes", SPAN("ann@nested.example"), SPF_PASS},
    {"exists, fail", SPAN("ann@fail.example"), SPF_FAIL},
};
#define CASES (sizeof cases / sizeof *cases)

static int64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct dns *
open_zone(void)
{
	char path[] = "/tmp/assay-zone-XXXXXX";
	struct dns_options options = {.zone = path};
	struct dns *dns;
	int fd = mkstemp(path);

	if (fd < 0 ||
	    write(fd, zone, sizeof zone - 1) != (ssize_t)sizeof zone - 1 ||
	    close(fd) || dns_open(&options, &dns, NULL))
		abort();
	unlink(path);
	return dns;
}

static void
judge(struct dns *dns, struct arena *arena, size_t which)
{
	struct spf_request request = {
	    .ip = {.family = 4, .bytes = {192, 0, 2, 1}},
	    .helo = SPAN("helo.example"),
	    .mail_from = cases[which].from};
	struct spf_answer answer;

	struct dns_batch *batch = dns_batch_new(dns, arena, 1000, 100);
	spf_check(&request, batch, arena, &answer);
	if (answer.result != cases[which].result)
		abort();
	arena_reset(arena);
}

static void *
run_all(void *arg)
{
	struct arena *arena = arena_new(0);

	for (size_t i = 0; i < ROUNDS; i++)
		judge(arg, arena, i % CASES);
	arena_free(arena);
	return NULL;
}

static void
run_threads(struct dns *dns, int n)
{
	pthread_t threads[THREADS_MAX];
	struct timespec before, after;
	int64_t start = cpu_ns();

	clock_gettime(CLOCK_MONOTONIC, &before);
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, run_all, dns))
			abort();
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	int64_t wall_ms = (after.tv_sec - before.tv_sec) * 1000 +
			  (after.tv_nsec - before.tv_nsec) / 1000000;
	printf("%d threads: %lld ns each, %lld a second\n", n,
	    (long long)((cpu_ns() - start) / ROUNDS / n),
	    (long long)((int64_t)ROUNDS * n * 1000 / (wall_ms + 1)));
}

int
main(int argc, char **argv)
{
	struct dns *dns = open_zone();
	uint64_t n = 1;

	if (argc > 1 &&
	    (span_to_u64(span_of(argv[1]), &n) || n < 1 || n > THREADS_MAX))
		return 2;
	struct arena *arena = arena_new(0);
	for (size_t c = 0; c < CASES; c++) {
		judge(dns, arena, c);
		int64_t start = cpu_ns();
		for (size_t i = 0; i < ROUNDS; i++)
			judge(dns, arena, c);
		printf("%-16s %lld ns\n", cases[c].name,
		    (long long)((cpu_ns() - start) / ROUNDS));
	}
	arena_free(arena);
	run_threads(dns, (int)n);
	dns_close(dns);
	return 0;
}
