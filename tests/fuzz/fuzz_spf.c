/*
 * A whole evaluation over a small zone. The first byte chooses the client;
 * then follow, parted by line feeds, the record of the sender's domain, that
 * of i.example.com, an explanation at e.example.com, and the local part.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "filter/auth/spf_field.h"
#include "filter/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fixed[] =
    "\nf.example.com. A 192.0.2.10\n"
    "f.example.com. AAAA 2001:db8::10\n"
    "f.example.com. MX 10 a.example.com.\n"
    "f.example.com. MX 20 b.example.com.\n"
    "a.example.com. A 192.0.2.1\n"
    "b.example.com. A 127.0.0.1\n"
    "c.example.com. CNAME a.example.com.\n"
    "l.example.com. TIMEOUT\n"
    "s.example.com. TXT \"v=spf1 include:i.example.com ~all\"\n"
    "r.example.com. TXT \"v=spf1 redirect=i.example.com\"\n"
    "1.2.0.192.in-addr.arpa. PTR a.example.com.\n";

static const char *const clients[] = {
    "192.0.2.1", "127.0.0.1", "2001:db8::10", "::1"};

static void
add_text(struct buf *zone, const char *owner, struct span text)
{
	buf_printf(zone, "%s TXT \"", owner);
	for (size_t i = 0; i < text.len; i++)
		buf_printf(zone, "\\%03u", (unsigned char)text.p[i]);
	buf_add_str(zone, "\"\n");
}

static bool
is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	return true;
}

static void
check(const struct spf_answer *answer)
{
	static const char qualifiers[] = {[SPF_NEUTRAL] = '?',
	    [SPF_PASS] = '+',
	    [SPF_FAIL] = '-',
	    [SPF_SOFTFAIL] = '~'};
	bool decided =
	    answer->result >= SPF_NEUTRAL && answer->result <= SPF_SOFTFAIL;
	struct span term = answer->mechanism;

	assert(is_printable(answer->problem));
	assert(is_printable(answer->explanation));
	assert(answer->explanation.len <= 400);
	assert(!decided || !answer->problem.p);
	assert(answer->result < SPF_TEMPERROR || answer->problem.p);
	assert(decided || (!term.p && !answer->explanation.p));
	assert(!answer->explanation.p || answer->result == SPF_FAIL);
	/* Two ways to one end: the library's result, our record of terms. */
	if (!decided || (!term.p && answer->result == SPF_NEUTRAL))
		return;
	char first = term.len && !ascii_is_alpha(term.p[0]) ? term.p[0] : '+';
	assert(first == qualifiers[answer->result]);
}

/* Received-SPF: folds alone break its lines, and none is too long. */
static void
check_field(const struct spf_request *request, const struct spf_answer *answer,
    struct arena *arena)
{
	struct span rest = spf_field(request, answer, arena);

	assert(span_starts(rest, span_of(spf_result_name(answer->result))));
	while (rest.p) {
		struct span line = span_cut(&rest, '\n');
		assert(is_printable(line) && line.len < 998);
		assert(!rest.p || (rest.len > 1 && rest.p[0] == '\t'));
		if (rest.p)
			rest = span_skip(rest, 1);
	}
}

static struct dns *
open_zone(const struct buf *zone)
{
	char path[64];
	struct dns_options options = {.zone = path, .cache_entries = 64};
	struct dns *dns = NULL;
	int fd = memfd_create("zone", 0);

	if (fd < 0 || write(fd, zone->p, zone->len) != (ssize_t)zone->len ||
	    lseek(fd, 0, SEEK_SET))
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	struct err err = {0};
	if (dns_open(&options, &dns, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	close(fd);
	return dns;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spf_request request = {.helo = SPAN("helo.example.com")};
	struct spf_answer answer;
	struct arena *arena = arena_new(0);
	struct buf zone, from;
	struct span rest =
	    span_skip(span_make((const char *)data, size), size ? 1 : 0);

	buf_init(&zone, arena, SIZE_MAX / 2);
	add_text(&zone, "f.example.com.", span_cut(&rest, '\n'));
	add_text(&zone, "i.example.com.", span_cut(&rest, '\n'));
	add_text(&zone, "e.example.com.", span_cut(&rest, '\n'));
	buf_add_str(&zone, fixed);
	struct dns *dns = open_zone(&zone);

	buf_init(&from, arena, SIZE_MAX / 2);
	buf_add_span(&from, rest);
	buf_add_str(&from, "@f.example.com");
	request.mail_from = buf_span(&from);
	if (ip_parse(span_of(clients[size ? data[0] & 3 : 0]), &request.ip))
		abort();
	/* Twice: the second time the forms of the records are there. */
	for (int i = 0; i < 2; i++) {
		enum spf_result before = i ? answer.result : SPF_NONE;
		struct dns_batch *batch = dns_batch_new(dns, arena, 100, 1000);
		spf_check(&request, batch, arena, &answer);
		check(&answer);
		check_field(&request, &answer, arena);
		assert(!i || before == answer.result);
		assert(dns_batch_questions(batch)->n < 200);
	}
	arena_free(arena);
	dns_close(dns);
	return 0;
}
