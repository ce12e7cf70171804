/*
 * What a Redis server may answer, whole and in pieces (the first byte is their
 * size): both are read alike, no reply has more than it may, each is a
 * well-formed tree.
 */
#include <assert.h>
#include <stdint.h>

#include "filter/store/store_redis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODES_MAX 40
#define BYTES_MAX (1024 * 1024) /* nothing here is longer */

static const struct redis_limits limits = {BYTES_MAX, NODES_MAX};

/* An array's elements follow it: as many values as it says, and no others. */
static void
check_tree(const struct redis_reply *reply)
{
	int64_t missing = 1;

	assert(reply->n >= 1 && reply->n <= NODES_MAX);
	for (size_t i = 0; i < reply->n; i++) {
		const struct redis_node *node = &reply->nodes[i];
		assert(missing > 0);
		missing--;
		if (node->kind == REDIS_ARRAY) {
			assert(node->number >= 0);
			missing += node->number;
		}
	}
	assert(missing == 0);
}

static void
check_entries(const struct redis_reply *reply)
{
	struct redis_entry entry;
	struct err err;

	for (int counts = 0; counts < 2; counts++) {
		if (redis_read_entry(reply, counts, 1000, &entry, &err)) {
			assert(err.code < 0 && err.text[0]);
			continue;
		}
		assert(entry.expires == 0 || entry.expires > 1000);
		assert(entry.there || !entry.value.p);
	}
}

/* Everything that was read, as text that can be compared. */
static void
describe(struct buf *out, const struct redis_reply *reply)
{
	for (size_t i = 0; i < reply->n; i++) {
		const struct redis_node *node = &reply->nodes[i];
		buf_printf(
		    out, "%d %lld ", (int)node->kind, (long long)node->number);
		buf_add_span(out, redis_bytes(reply, node));
		buf_add_char(out, '\n');
	}
}

static void
check_refusal(const struct redis_reply *reply)
{
	struct err err;

	if (reply->nodes[0].kind != REDIS_ERROR)
		return;
	int rc = redis_refusal(reply, reply->nodes, &err);
	assert(rc == ERR_STATE || rc == ERR_ACCESS || rc == ERR_INVALID);
	for (const char *p = err.text; *p; p++)
		assert(*p > 0x1f && *p < 0x7f);
}

static void
read_all(const char *p, size_t size, size_t piece, struct buf *out)
{
	struct redis_parser *parser = redis_parser_new();
	struct redis_reply reply;
	int rc = 0;

	assert(parser);
	for (size_t at = 0; at < size && rc == 0; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		rc = redis_parser_feed(parser, p + at, n, NULL);
		assert(rc == 0);
		while ((rc = redis_parser_next(
			    parser, &limits, &reply, NULL)) == 0 &&
		       reply.n) {
			check_tree(&reply);
			check_entries(&reply);
			check_refusal(&reply);
			describe(out, &reply);
		}
	}
	buf_printf(out, "end %d\n", rc);
	redis_parser_trim(parser);
	redis_parser_free(parser);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces;

	if (size < 2)
		return 0;
	const char *p = (const char *)data + 1;
	buf_init(&whole, NULL, SIZE_MAX / 2);
	buf_init(&pieces, NULL, SIZE_MAX / 2);
	read_all(p, size - 1, size, &whole);
	read_all(p, size - 1, 1 + data[0] % 64, &pieces);
	assert(span_eq(buf_span(&whole), buf_span(&pieces)));
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
