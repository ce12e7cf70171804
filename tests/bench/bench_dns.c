/*
 * What a warm question costs: names that the cache holds, wanted and got by
 * batches of 20, as messages do. `bench_dns [threads]` prints nanoseconds of
 * CPU for each step; for the threads together those of the process.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "filter/dns/dns.h"

#define NAMES 20
#define ROUNDS 100000
#define THREADS_MAX 64

static char names[NAMES][64];

static int64_t
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct dns *
open_zone(void)
{
	char path[] = "/tmp/assay-zone-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	struct dns_options options = {.zone = path};
	struct dns *dns;

	if (!f)
		abort();
	for (int i = 0; i < NAMES; i++) {
		snprintf(names[i], sizeof names[i],
		    "selector%d._domainkey.sender%d.example", i, i);
		fprintf(f, "%s TXT \"v=DKIM1; p=\"\n", names[i]);
	}
	fclose(f);
	if (dns_open(&options, &dns, NULL))
		abort();
	unlink(path);
	return dns;
}

static struct dns_batch *
ask_all(struct dns *dns, struct arena *arena)
{
	struct dns_batch *b = dns_batch_new(dns, arena, 1000, 100);

	for (int i = 0; i < NAMES; i++)
		dns_want(b, span_of(names[i]), DNS_TXT);
	for (int i = 0; i < NAMES; i++)
		if (dns_get(b, span_of(names[i]), DNS_TXT)->status != DNS_OK)
			abort();
	return b;
}

static void *
run(void *arg)
{
	struct arena *arena = arena_new(0);

	for (int i = 0; i < ROUNDS; i++) {
		(void)ask_all(arg, arena);
		arena_reset(arena);
	}
	arena_free(arena);
	return NULL;
}

static void
report(const char *what, int64_t start_us, double questions)
{
	printf("%-44s %7.1f ns\n", what,
	    (double)(cpu_us() - start_us) * 1000 / questions);
}

/* What the parts cost in one thread. */
static void
run_parts(struct dns *dns)
{
	struct arena *arena = arena_new(0);
	int64_t start = cpu_us();

	for (int i = 0; i < ROUNDS; i++) {
		struct dns_batch *b = dns_batch_new(dns, arena, 1000, 100);
		for (int k = 0; k < NAMES; k++)
			dns_want(b, span_of(names[k]), DNS_TXT);
		arena_reset(arena);
	}
	report("dns_want of a warm name, with its batch", start,
	    (double)ROUNDS * NAMES);
	struct dns_batch *b = ask_all(dns, arena);
	start = cpu_us();
	for (int i = 0; i < ROUNDS; i++)
		for (int k = 0; k < NAMES; k++)
			(void)dns_get(b, span_of(names[k]), DNS_TXT);
	report(
	    "dns_get of a name the batch has", start, (double)ROUNDS * NAMES);
	arena_free(arena);
}

int
main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	struct dns *dns = open_zone();
	uint64_t n = 1;

	if (argc > 1 &&
	    (span_to_u64(span_of(argv[1]), &n) || n < 1 || n > THREADS_MAX))
		return 64;
	run_parts(dns);
	int64_t start = cpu_us();
	for (uint64_t i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, run, dns))
			abort();
	for (uint64_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	report("want and get of a warm name, with its batch", start,
	    (double)ROUNDS * NAMES * (double)n);
	dns_close(dns);
	return 0;
}
