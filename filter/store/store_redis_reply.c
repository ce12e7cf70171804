#include "filter/store/store_redis.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "filter/base/unconst.h"

/*
 * hiredis takes the protocol apart; what it finds is kept here, flat, in the
 * order of the wire: an array is a node in front of its elements. So memory
 * grows with what has arrived and never with what a length promises:
 * "*1000000000" is refused when it is read, "$536870912" when more bytes than
 * the caller's limit have come. hiredis itself allocates for bytes only.
 *
 * One reply's nodes and text are used again for the next.
 */

#define NODES_MIN 64
#define TEXT_KEPT 65536 /* more is given back by redis_parser_trim() */
#define NODES_KEPT 4096

struct redis_parser {
	redisReader *reader;
	struct redis_node *nodes;
	size_t n, size;
	struct buf text;
	size_t pending; /* bytes fed since the last whole reply */
	const struct redis_limits *limits;
	bool over, no_memory;
};

/* --- what hiredis calls ------------------------------------------------------ */

/* Anything but NULL: hiredis only hands it around. */
static void *
accept_node(struct redis_parser *parser)
{
	return parser;
}

static struct redis_node *
push(struct redis_parser *parser, enum redis_kind kind)
{
	if (parser->n >= parser->limits->nodes) {
		parser->over = true;
		return NULL;
	}
	if (parser->n == parser->size) {
		size_t size = parser->size ? parser->size * 2 : NODES_MIN;
		struct redis_node *nodes =
		    reallocarray(parser->nodes, size, sizeof *nodes);
		if (!nodes) {
			parser->no_memory = true;
			return NULL;
		}
		parser->nodes = nodes;
		parser->size = size;
	}
	struct redis_node *node = &parser->nodes[parser->n++];
	*node = (struct redis_node){.kind = kind};
	return node;
}

static void *
on_string(const redisReadTask *task, char *p, size_t len)
{
	struct redis_parser *parser = task->privdata;
	enum redis_kind kind = task->type == REDIS_REPLY_STATUS  ? REDIS_STATUS
			       : task->type == REDIS_REPLY_ERROR ? REDIS_ERROR
								 : REDIS_STRING;
	struct redis_node *node = push(parser, kind);

	if (!node)
		return NULL;
	node->at = parser->text.len;
	node->len = len;
	buf_add(&parser->text, p, len);
	if (buf_failed(&parser->text)) {
		parser->no_memory = true;
		return NULL;
	}
	return accept_node(parser);
}

static void *
on_array(const redisReadTask *task, int elements)
{
	struct redis_parser *parser = task->privdata;
	unsigned nesting = 1;

	for (const redisReadTask *up = task->parent; up; up = up->parent)
		nesting++;
	if (nesting > REDIS_NESTING_MAX || elements < 0 ||
	    (size_t)elements > parser->limits->nodes) {
		parser->over = true;
		return NULL;
	}
	struct redis_node *node = push(parser, REDIS_ARRAY);
	if (!node)
		return NULL;
	node->number = elements;
	return accept_node(parser);
}

static void *
on_integer(const redisReadTask *task, long long value)
{
	struct redis_parser *parser = task->privdata;
	struct redis_node *node = push(parser, REDIS_INTEGER);

	if (!node)
		return NULL;
	node->number = value;
	return accept_node(parser);
}

static void *
on_nil(const redisReadTask *task)
{
	struct redis_parser *parser = task->privdata;

	return push(parser, REDIS_NIL) ? accept_node(parser) : NULL;
}

static void
on_free(void *node)
{
	(void)node; /* the parser's memory is used again */
}

static const redisReplyObjectFunctions functions = {
    .createString = on_string,
    .createArray = on_array,
    .createInteger = on_integer,
    .createNil = on_nil,
    .freeObject = on_free,
};

/* --- the parser -------------------------------------------------------------- */

struct redis_parser *
redis_parser_new(void)
{
	struct redis_parser *parser = calloc(1, sizeof *parser);

	if (!parser)
		return NULL;
	/* It reads the table and does not say so. */
	parser->reader = redisReaderCreateWithFunctions(unconst(&functions));
	if (!parser->reader) {
		free(parser);
		return NULL;
	}
	parser->reader->privdata = parser;
	/* The limit that counts is the one on bytes of the wire. */
	buf_init(&parser->text, NULL, SIZE_MAX / 2);
	return parser;
}

void
redis_parser_free(struct redis_parser *parser)
{
	if (!parser)
		return;
	redisReaderFree(parser->reader);
	free(parser->nodes);
	buf_done(&parser->text);
	free(parser);
}

void
redis_parser_trim(struct redis_parser *parser)
{
	if (parser->text.size > TEXT_KEPT) {
		buf_done(&parser->text);
		buf_init(&parser->text, NULL, SIZE_MAX / 2);
	}
	if (parser->size > NODES_KEPT) {
		free(parser->nodes);
		parser->nodes = NULL;
		parser->size = 0;
	}
}

int
redis_parser_feed(
    struct redis_parser *parser, const char *p, size_t len, struct err *err)
{
	if (redisReaderFeed(parser->reader, p, len) != REDIS_OK)
		return err_set(err, ERR_NOMEM, "out of memory for a reply");
	parser->pending += len;
	return 0;
}

/* hiredis says "out of memory" for whatever we refused. */
static int
failed(const struct redis_parser *parser, struct err *err)
{
	if (parser->over)
		return err_set(err, ERR_LIMIT, "a reply is too large");
	if (parser->no_memory || parser->reader->err == REDIS_ERR_OOM)
		return err_set(err, ERR_NOMEM, "out of memory for a reply");
	return err_set(err, ERR_SYNTAX, "does not speak Redis's protocol");
}

int
redis_parser_next(struct redis_parser *parser,
    const struct redis_limits *limits, struct redis_reply *ret, struct err *err)
{
	void *whole = NULL;

	parser->limits = limits;
	if (parser->reader->ridx < 0) { /* a new one begins */
		parser->n = 0;
		buf_truncate(&parser->text, 0);
	}
	if (redisReaderGetReply(parser->reader, &whole) != REDIS_OK)
		return failed(parser, err);
	if (!whole) {
		ret->n = 0;
		if (parser->pending > limits->bytes) {
			parser->over = true;
			return failed(parser, err);
		}
		return 0;
	}
	parser->pending = parser->reader->len - parser->reader->pos;
	*ret = (struct redis_reply){parser->nodes, parser->n, parser->text.p};
	return 0;
}

bool
redis_parser_clean(const struct redis_parser *parser)
{
	return parser->pending == 0 && parser->reader->err == 0;
}

/* --- reading replies ----------------------------------------------------------- */

struct span
redis_bytes(const struct redis_reply *reply, const struct redis_node *node)
{
	return span_make(node->len ? reply->text + node->at : "", node->len);
}

bool
redis_is_status(const struct redis_reply *reply, const char *word)
{
	return reply->nodes[0].kind == REDIS_STATUS &&
	       span_is(redis_bytes(reply, reply->nodes), word);
}

struct refusal {
	const char *begins;
	int code; /* ERR_STATE: it may go well later */
	const char *text;
};

/* The first that fits. The server did nothing in all of these cases. */
static const struct refusal refusals[] = {
    {"NOAUTH", ERR_ACCESS, "wants a password"},
    {"WRONGPASS", ERR_ACCESS, "refuses the password"},
    {"ERR invalid password", ERR_ACCESS, "refuses the password"},
    {"ERR AUTH ", ERR_ACCESS, "has no password for this user"},
    {"ERR Client sent AUTH", ERR_ACCESS, "has no password for this user"},
    {"NOPERM", ERR_ACCESS, "does not give our user the right"},
    {"DENIED", ERR_ACCESS, "serves its own machine only"},
    {"ERR max number of clients", ERR_STATE, "has too many clients"},
    {"LOADING", ERR_STATE, "is loading its data"},
    {"READONLY", ERR_STATE, "is a replica that takes no writes"},
    {"MASTERDOWN", ERR_STATE, "is a replica without its master"},
    {"NOREPLICAS", ERR_STATE, "has too few replicas to take writes"},
    {"OOM", ERR_STATE, "is out of memory"},
    {"MISCONF", ERR_STATE, "cannot write its disk and takes no writes"},
    {"BUSY", ERR_STATE, "is busy with a script"},
    {"CLUSTERDOWN", ERR_STATE, "is a cluster that is down"},
    {"MOVED", ERR_INVALID, "is a cluster"},
    {"WRONGTYPE", ERR_INVALID, "has our keys with values of others"},
    {"EXECABORT", ERR_INVALID, "refuses a transaction"},
    {"ERR DB index", ERR_INVALID, "has no such database"},
    {"ERR invalid DB index", ERR_INVALID, "has no such database"},
    {"ERR unknown command", ERR_INVALID, "lacks a command that we need"},
};

#define CODE_MAX 24

/* Its first word, if that is in capitals, and nothing else of it. */
static struct span
error_code(struct span text)
{
	size_t n = 0;

	while (n < text.len && n < CODE_MAX && text.p[n] >= 'A' &&
	       text.p[n] <= 'Z')
		n++;
	if (n == 0 || (n < text.len && text.p[n] != ' '))
		return SPAN("?");
	return span_head(text, n);
}

int
redis_refusal(const struct redis_reply *reply, const struct redis_node *node,
    struct err *err)
{
	struct span text = redis_bytes(reply, node);

	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		if (span_starts(text, span_of(refusals[i].begins)))
			return err_set(
			    err, refusals[i].code, "%s", refusals[i].text);
	return err_set(err, ERR_INVALID, "answers with an error (%.*s)",
	    SPAN_ARG(error_code(text)));
}

int
redis_unexpected(const struct redis_reply *reply, struct err *err)
{
	if (reply->nodes[0].kind == REDIS_ERROR)
		return redis_refusal(reply, reply->nodes, err);
	return err_set(err, ERR_SYNTAX, "answers what was not asked");
}
