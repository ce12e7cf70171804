/*
 * libopendkim alone, whole, against Assay, for run_dkim_against.py:
 *
 *	dkim_against COUNT SEED < VECTORS
 *
 * VECTORS has a line ZONE TAB FILE for each message. Compared are all of them,
 * COUNT mutations of them, and COUNT messages that are made with right
 * signatures, half of them mutated afterwards. Where the two verifiers differ
 * about a signature, the difference must belong to a class of dkim_classes.c;
 * one that does not fails the test and prints the message. Prints TAP and how
 * often each class was met.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/auth/dkim.h"
#include "filter/base/clock.h"
#include "tests/conformance/dkim_classes.h"
#include "tests/conformance/dkim_make.h"
#include "tests/conformance/driver.h"
#include "tests/conformance/opendkim_whole.h"
#include "tests/lib/tap.h"

#define WAIT_MS 10000
#define QUESTIONS_MAX 500
#define VECTORS_MAX 1000
#define ZONES_MAX 50
#define SHOWN_MAX 5

struct vector {
	struct dns *dns;
	struct span text;
};

static struct vector vectors[VECTORS_MAX];
static size_t n_vectors;
static struct {
	char *path;
	struct dns *dns;
} zones[ZONES_MAX];
static size_t n_zones;

/* What was met, all in all. */
static uint64_t messages, signatures, passes, unnamed;

static void
show(const struct dkim_pair *pair, struct span text)
{
	if (++unnamed > SHOWN_MAX)
		return;
	printf("# Assay: %s (%.*s); libopendkim: %s (error %d, %d, %d)\n",
	    dkim_result_name(pair->ours->result), SPAN_ARG(pair->ours->problem),
	    whole_result_name(pair->theirs->result), pair->theirs->error,
	    pair->whole->at_headers, pair->whole->at_end);
	for (struct span rest = text; rest.p;) {
		struct span line = span_cut(&rest, '\n');
		printf("#   ");
		for (size_t i = 0; i < line.len; i++)
			printf(ascii_is_control(line.p[i]) ||
				       ascii_is_8bit(line.p[i])
				   ? "\\x%02x"
				   : "%c",
			    (unsigned char)line.p[i]);
		printf("%s\n", rest.p ? "\\n" : "");
	}
}

static const struct dkim_facts *
verify_ours(const struct header_list *headers, struct span body,
    struct dns_batch *batch, struct arena *arena)
{
	struct bodyhash_set *hashes = bodyhash_new(arena);
	struct dkim *dkim =
	    dkim_begin(headers, batch, hashes, clock_wall(), arena);

	bodyhash_update(hashes, body);
	bodyhash_final(hashes);
	return dkim_end(dkim, arena);
}

static void
compare(struct dns *dns, struct span text, struct arena *arena)
{
	struct dkim_pair pair = {0};
	struct header_list headers;
	struct whole whole;

	messages++;
	header_init(&headers, arena);
	struct span body = span_skip(text, header_parse(&headers, text));
	struct dns_batch *batch =
	    dns_batch_new(dns, arena, WAIT_MS, QUESTIONS_MAX);
	const struct dkim_facts *facts =
	    verify_ours(&headers, body, batch, arena);
	pair.headers = &headers;
	pair.body = body;
	pair.dns = batch;
	pair.arena = arena;
	if (dkim_classes_guarded(&headers, arena))
		return;
	bool judged = whole_verify(&headers, body, batch, arena, &whole);
	for (size_t i = 0; i < facts->n && i < whole.n; i++) {
		pair.ours = &facts->signatures[i];
		pair.theirs = &whole.verdicts[i];
		pair.whole = &whole;
		pair.gave_up = !judged;
		signatures++;
		passes += pair.ours->result == DKIM_PASS;
		if (pair.ours->field != pair.theirs->field)
			abort();
		if (!dkim_classes_take(&pair))
			show(&pair, text);
	}
}

/* --- the runs --------------------------------------------------------------------- */

static void
run_vectors(struct arena *arena)
{
	TAP_CASE("every vector: the verifiers agree, or the class is known")
	CHECK(n_vectors > 0);
	for (size_t i = 0; i < n_vectors; i++) {
		compare(vectors[i].dns, vectors[i].text, arena);
		arena_reset(arena);
	}
	CHECK_INT(unnamed, 0);
}

static void
run_mutations(struct random *random, uint64_t count, struct arena *arena)
{
	TAP_CASE("mutated vectors: the same")
	for (uint64_t n = 0; n < count; n++) {
		const struct vector *v =
		    &vectors[random_below(random, (uint32_t)n_vectors)];
		compare(v->dns, make_mutation(random, v->text, arena), arena);
		arena_reset(arena);
	}
	CHECK_INT(unnamed, 0);
}

static void
run_made(
    struct dns *dns, struct random *random, uint64_t count, struct arena *arena)
{
	uint64_t before = passes;

	TAP_CASE("odd messages with right signatures, and mutated: the same")
	for (uint64_t n = 0; n < count; n++) {
		struct span text = make_message(random, arena);
		if (n % 2)
			text = make_mutation(random, text, arena);
		compare(dns, text, arena);
		arena_reset(arena);
	}
	CHECK_INT(unnamed, 0);
	TAP_CASE("many of those signatures pass")
	CHECK(passes - before > count / 10);
}

/* --- set up ------------------------------------------------------------------------ */

static struct span
load(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(1);
	}
	size_t size = (size_t)st.st_size;
	char *p = malloc(size + 1);
	if (!p || read(fd, p, size) != st.st_size)
		abort();
	close(fd);
	return span_make(p, size);
}

static struct dns *
zone_of(const char *path)
{
	for (size_t i = 0; i < n_zones; i++)
		if (strcmp(zones[i].path, path) == 0)
			return zones[i].dns;
	if (n_zones == ZONES_MAX)
		abort();
	zones[n_zones].path = strdup(path);
	zones[n_zones].dns = driver_open_zone(span_of(path));
	return zones[n_zones++].dns;
}

static void
read_vectors(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		line[len - 1] = '\0';
		char *tab = strchr(line, '\t');
		if (!tab || n_vectors == VECTORS_MAX)
			abort();
		*tab = '\0';
		vectors[n_vectors++] =
		    (struct vector){zone_of(line), load(tab + 1)};
	}
	free(line);
}

static struct dns *
make_zone(void)
{
	char path[] = "/tmp/assay-dkim-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		abort();
	make_open(f);
	fclose(f);
	struct dns *dns = driver_open_zone(span_of(path));
	unlink(path);
	return dns;
}

static void
tear_down(struct dns *dns)
{
	for (size_t i = 0; i < n_vectors; i++)
		free((void *)(uintptr_t)vectors[i].text.p);
	for (size_t i = 0; i < n_zones; i++) {
		dns_close(zones[i].dns);
		free(zones[i].path);
	}
	dns_close(dns);
	make_close();
	whole_close();
	dkim_teardown();
}

int
main(int argc, char **argv)
{
	struct random random;
	uint64_t count;
	struct arena *arena = arena_new(0);

	if (argc != 3 || span_to_u64(span_of(argv[1]), &count) ||
	    span_to_u64(span_of(argv[2]), &random.state) || !random.state ||
	    dkim_setup(NULL))
		return 64;
	whole_open();
	struct dns *dns = make_zone();
	read_vectors();
	run_vectors(arena);
	run_mutations(&random, count, arena);
	run_made(dns, &random, count, arena);
	printf("# %llu messages, %llu signatures, %llu pass\n",
	    (unsigned long long)messages, (unsigned long long)signatures,
	    (unsigned long long)passes);
	dkim_classes_print();
	arena_free(arena);
	tear_down(dns);
	return tap_done();
}
