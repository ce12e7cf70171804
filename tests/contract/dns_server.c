#include "tests/contract/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "filter/base/clock.h"
#include "filter/dns/name.h"

/*
 * One thread, one poll loop. A TCP connection is served to its end before
 * anything else happens, which is fair enough for one client. Questions are
 * those of a resolver that we started, so what is odd is ignored.
 */

#define MESSAGE_MAX 65535
#define LATE_MAX 16
#define HOPS_MAX 16
#define TYPE_OPT 41

struct late {
	int64_t due;
	struct sockaddr_in to;
	struct buf reply;
};

struct dns_server_state {
	int udp, tcp, stop;
	pthread_t thread;
	struct late late[LATE_MAX];
	size_t n_late;
};

struct question {
	uint16_t id, flags;
	struct span wire; /* lower case */
	uint16_t type, class;
	uint16_t udp_size; /* of the asker */
};

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint16_t
u16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void
put_u16(struct buf *b, unsigned value)
{
	buf_add_char(b, (char)(uint8_t)(value >> 8));
	buf_add_char(b, (char)(uint8_t)value);
}

/* Folds the name in place. False for what no resolver sends. */
static bool
read_question(uint8_t *p, size_t len, struct question *ret)
{
	size_t i = 12;

	if (len < 17 || u16_at(p + 4) != 1)
		return false;
	while (i < len && p[i]) {
		size_t label = p[i++];
		if (label > 63 || label >= len - i)
			return false;
		for (size_t end = i + label; i < end; i++)
			p[i] = (uint8_t)ascii_lower((char)p[i]);
	}
	if (len - i < 5)
		return false;
	*ret = (struct question){
	    .id = u16_at(p),
	    .flags = u16_at(p + 2),
	    .wire = span_make((char *)p + 12, i + 1 - 12),
	    .type = u16_at(p + i + 1),
	    .class = u16_at(p + i + 3),
	    .udp_size = 512,
	};
	i += 5;
	if (len - i >= 11 && p[i] == 0 && u16_at(p + i + 1) == TYPE_OPT)
		ret->udp_size = u16_at(p + i + 3);
	return true;
}

static void
put_header(struct buf *b, const struct question *q, unsigned flags,
    unsigned answers, unsigned authorities)
{
	put_u16(b, q->id);
	/* Response, recursion available, and the asker's RD. */
	put_u16(b, 0x8080 | (q->flags & 0x0100) | flags);
	put_u16(b, 1);
	put_u16(b, answers);
	put_u16(b, authorities);
	put_u16(b, 0);
	buf_add_span(b, q->wire);
	put_u16(b, q->type);
	put_u16(b, q->class);
}

static void
put_record(struct buf *b, struct span owner, unsigned type, uint32_t ttl_s,
    struct span rdata)
{
	buf_add_span(b, owner);
	put_u16(b, type);
	put_u16(b, 1);
	put_u16(b, ttl_s >> 16);
	put_u16(b, ttl_s & 0xffff);
	put_u16(b, (unsigned)rdata.len);
	buf_add_span(b, rdata);
}

/* The records of an answer, CNAMEs included; counts them. */
static enum dns_status
collect(const struct zone *zone, const struct question *q, struct buf *records,
    unsigned *ret_n)
{
	struct span owner = q->wire;
	unsigned n = 0;

	for (int hops = 0; hops < HOPS_MAX; hops++) {
		const struct zone_record *r = NULL;
		enum dns_status status =
		    zone_find(zone, owner, (enum dns_type)q->type, &r);
		*ret_n = n;
		if (status != DNS_OK)
			return status;
		bool alias = r->type != (enum dns_type)q->type;
		struct span target = r->rdata;
		for (; r; r = alias ? NULL : zone_next(r), n++)
			put_record(records, owner, r->type, r->ttl_s, r->rdata);
		*ret_n = n;
		if (!alias)
			return DNS_OK;
		owner = target;
	}
	return DNS_SERVFAIL;
}

/* False when nothing is to be said. */
static bool
make_reply(const struct zone *zone, const struct question *q, struct buf *reply)
{
	/* The SOA says for how long a name is not there. */
	static const char soa[] = "\2ns\0\1h\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"
				  "\0\0\0\74";
	struct buf records;
	unsigned n = 0;

	buf_init(&records, NULL, MESSAGE_MAX * 2);
	enum dns_status status = collect(zone, q, &records, &n);
	bool negative = status == DNS_NXDOMAIN || status == DNS_NODATA;
	if (status == DNS_SERVFAIL) {
		put_header(reply, q, 2, 0, 0);
	} else {
		put_header(
		    reply, q, status == DNS_NXDOMAIN ? 3 : 0, n, negative);
		buf_add_span(reply, buf_span(&records));
		if (negative)
			put_record(reply, span_make("", 1), DNS_SOA, 60,
			    span_make(soa, sizeof soa - 1));
	}
	buf_done(&records);
	return status != DNS_TIMEOUT;
}

static void
keep_late(
    struct dns_server *server, const struct sockaddr_in *to, struct buf *reply)
{
	struct dns_server_state *s = server->state;

	if (s->n_late == LATE_MAX) {
		buf_done(reply);
		return;
	}
	s->late[s->n_late++] =
	    (struct late){clock_deadline(server->slow_ms), *to, *reply};
}

static bool
is_slow(const struct dns_server *server, const struct question *q)
{
	char text[NAME_TEXT_MAX];
	size_t len;

	return server->slow_name && name_to_text(q->wire, text, &len) &&
	       span_is(span_make(text, len), server->slow_name);
}

static void
serve_udp(struct dns_server *server)
{
	struct dns_server_state *s = server->state;
	uint8_t in[4096];
	struct sockaddr_in from;
	socklen_t from_len = sizeof from;
	struct question q;
	struct buf reply;

	ssize_t n = recvfrom(
	    s->udp, in, sizeof in, 0, (struct sockaddr *)&from, &from_len);
	if (n < 0 || !read_question(in, (size_t)n, &q))
		return;
	atomic_fetch_add(&server->udp_questions, 1);
	if (atomic_load(&server->silent))
		return;
	buf_init(&reply, NULL, MESSAGE_MAX * 3);
	if (!make_reply(server->zone, &q, &reply)) {
		buf_done(&reply);
		return;
	}
	if (reply.len > q.udp_size) {
		buf_truncate(&reply, 0);
		put_header(&reply, &q, 0x0200, 0, 0);
	}
	if (is_slow(server, &q)) {
		keep_late(server, &from, &reply);
		return;
	}
	(void)!sendto(
	    s->udp, reply.p, reply.len, 0, (struct sockaddr *)&from, from_len);
	buf_done(&reply);
}

static bool
read_all(int fd, uint8_t *to, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = read(fd, to + at, len - at);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static void
serve_tcp(struct dns_server *server)
{
	struct timeval second = {1, 0};
	uint8_t size[2], in[4096];
	struct question q;
	struct buf reply;
	int fd = accept(server->state->tcp, NULL, NULL);

	if (fd < 0)
		return;
	/* A client that keeps the connection open is left after a second. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
	if (read_all(fd, size, 2) && u16_at(size) <= sizeof in &&
	    read_all(fd, in, u16_at(size)) &&
	    read_question(in, u16_at(size), &q)) {
		atomic_fetch_add(&server->tcp_questions, 1);
		buf_init(&reply, NULL, MESSAGE_MAX * 3);
		if (make_reply(server->zone, &q, &reply) &&
		    reply.len <= MESSAGE_MAX) {
			uint8_t head[2] = {
			    (uint8_t)(reply.len >> 8), (uint8_t)reply.len};
			(void)!write(fd, head, 2);
			(void)!write(fd, reply.p, reply.len);
		}
		buf_done(&reply);
	}
	close(fd);
}

static void
send_late(struct dns_server_state *s)
{
	for (size_t i = 0; i < s->n_late;) {
		struct late *late = &s->late[i];
		if (clock_left(late->due)) {
			i++;
			continue;
		}
		(void)!sendto(s->udp, late->reply.p, late->reply.len, 0,
		    (struct sockaddr *)&late->to, sizeof late->to);
		buf_done(&late->reply);
		s->late[i] = s->late[--s->n_late];
	}
}

static void *
run(void *arg)
{
	struct dns_server *server = arg;
	struct dns_server_state *s = server->state;
	struct pollfd fds[] = {
	    {s->udp, POLLIN, 0}, {s->tcp, POLLIN, 0}, {s->stop, POLLIN, 0}};

	for (;;) {
		if (poll(fds, 3, s->n_late ? 5 : -1) < 0)
			die("poll");
		if (fds[2].revents)
			return NULL;
		send_late(s);
		if (fds[0].revents)
			serve_udp(server);
		if (fds[1].revents)
			serve_tcp(server);
	}
}

void
dns_server_start(struct dns_server *server)
{
	struct dns_server_state *s = calloc(1, sizeof *s);
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;

	if (!s)
		die("calloc");
	server->state = s;
	/* A port that is free for TCP is nearly always so for UDP. */
	for (int tries = 0;; tries++) {
		at.sin_port = 0;
		s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (bind(s->tcp, (struct sockaddr *)&at, sizeof at) ||
		    listen(s->tcp, 8) ||
		    getsockname(s->tcp, (struct sockaddr *)&at, &len))
			die("tcp");
		if (bind(s->udp, (struct sockaddr *)&at, sizeof at) == 0)
			break;
		if (tries == 20)
			die("udp");
		close(s->tcp);
		close(s->udp);
	}
	server->port = ntohs(at.sin_port);
	s->stop = eventfd(0, EFD_CLOEXEC);
	if (s->stop < 0 || pthread_create(&s->thread, NULL, run, server))
		die("thread");
}

void
dns_server_stop(struct dns_server *server)
{
	struct dns_server_state *s = server->state;
	uint64_t one = 1;

	if (write(s->stop, &one, sizeof one) < 0)
		die("eventfd");
	pthread_join(s->thread, NULL);
	for (size_t i = 0; i < s->n_late; i++)
		buf_done(&s->late[i].reply);
	close(s->udp);
	close(s->tcp);
	close(s->stop);
	free(s);
}
