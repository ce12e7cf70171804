#include "filter/mail/received.h"

#include "filter/mail/header.h"

/*
 * One Received field. RFC 5321 section 4.4 gives the clauses, programs put what
 * is worth knowing in comments, each in its own way; the comments behind `from`
 * are read by their words, whoever wrote them. What a client says of itself
 * stands in the same text as what the server saw: none of this may be believed
 * but in fields of servers one knows. The trust walk of SpamAssassin's rules is
 * elsewhere.
 */

enum clause { NONE, FROM, BY, VIA, WITH, ID, FOR };

static const struct {
	const char *word;
	enum clause clause;
} clauses[] = {{"from", FROM}, {"by", BY}, {"via", VIA}, {"with", WITH},
    {"id", ID}, {"for", FOR}};

struct reader {
	struct received *r;
	enum clause clause;
	bool value;       /* the clause's first word was read */
	struct span from; /* the word behind `from` */
	bool helo_said;   /* a comment names HELO: `from` is the rdns */
	bool exim;
	bool local; /* handed over on the host itself */
};

#define UNKNOWN "unknown"

/* --- words of a comment --------------------------------------------------- */

/* An address in brackets or alone, perhaps with a port. */
static bool
parse_ip(struct span s, struct ip *ret)
{
	if (s.len && s.p[0] == '[') {
		size_t end = span_find_char(s, ']');
		return end != SPAN_NPOS &&
		       ip_parse(span_make(s.p + 1, end - 1), ret) == 0;
	}
	if (ip_parse(s, ret) == 0)
		return true;
	size_t colon = span_find_char(s, ':');
	return colon != SPAN_NPOS && ip_parse(span_head(s, colon), ret) == 0 &&
	       ret->family == 4;
}

/* A name as it is used: without the final dot that Gmail writes; nothing for
 * a client without one. */
static struct span
host_of(struct span s)
{
	if (s.len && s.p[s.len - 1] == '.')
		s.len--;
	if (span_caseis(s, UNKNOWN))
		return SPAN("");
	return s;
}

static struct span
without_brackets(struct span s)
{
	if (s.len >= 2 && s.p[0] == '<' && s.p[s.len - 1] == '>')
		return span_make(s.p + 1, s.len - 2);
	return s;
}

/* `key=value` of Exim and others. */
static void
take_pair(struct reader *rd, struct span key, struct span value)
{
	struct received *r = rd->r;

	if (span_caseis(key, "helo") || span_caseis(key, "ehlo")) {
		r->helo = value;
		rd->helo_said = true;
	} else if (span_caseis(key, "ident")) {
		r->ident = value;
	} else if (span_caseis(key, "envelope-from")) {
		r->envelope_from = without_brackets(value);
	}
}

/* The first address is the client's: one that comes later tells something
 * else, or the first was no server's word. */
static void
take_ip(struct reader *rd, const struct ip *ip)
{
	if (rd->r->ip.family == 0)
		rd->r->ip = *ip;
	else if (!ip_eq(&rd->r->ip, ip))
		rd->r->unsure = true;
}

/* A word that is a host, an address, or `ident@` one of them. What the client
 * says of its user may have an `@` itself. */
static void
take_host(struct reader *rd, struct span word, struct span *host)
{
	struct received *r = rd->r;
	struct ip ip;
	size_t at = span_rfind_char(word, '@');

	if (at != SPAN_NPOS) {
		r->ident = span_head(word, at);
		word = span_skip(word, at + 1);
	}
	if (parse_ip(word, &ip)) {
		take_ip(rd, &ip);
		return;
	}
	/* `host[ip]` without a blank */
	size_t bracket = span_find_char(word, '[');
	if (bracket != SPAN_NPOS && bracket > 0 &&
	    parse_ip(span_skip(word, bracket), &ip)) {
		take_ip(rd, &ip);
		word = span_head(word, bracket);
	}
	if (!host->p)
		*host = word;
}

/* True for a comment that tells how, not who. */
static bool
take_manner(struct reader *rd, struct span c)
{
	struct received *r = rd->r;

	if (span_casestarts(c, SPAN("using TLS")) ||
	    span_casestarts(c, SPAN("using SSL")) ||
	    span_casestarts(c, SPAN("version=TLS")) ||
	    span_casestarts(c, SPAN("version=SSL")) ||
	    span_casestarts(c, SPAN("TLS1")) ||
	    span_casestarts(c, SPAN("TLSv1"))) {
		r->tls = true;
		return true;
	}
	/* Postfix, Sendmail, Courier */
	if (span_casestarts(c, SPAN("authenticated"))) {
		r->auth = true;
		return true;
	}
	if (span_casestarts(c, SPAN("Exim ")) || span_caseis(c, "Exim")) {
		rd->exim = true;
		return true;
	}
	return span_casestarts(c, SPAN("No client certificate")) ||
	       span_casestarts(c, SPAN("Client "));
}

static bool
is_wrapping(char c)
{
	return c == '(' || c == ')' || c == '"' || c == ',' || c == ';';
}

/* A comment's next word, without the marks around it. */
static struct span
comment_word(struct span *c)
{
	struct span word = span_word(c);

	while (word.len && is_wrapping(word.p[0]))
		word = span_skip(word, 1);
	while (word.len && is_wrapping(word.p[word.len - 1]))
		word.len--;
	return word;
}

/* A comment behind `from`: who the client is. */
static void
take_client(struct reader *rd, struct span c)
{
	struct span host = SPAN_NONE;
	bool helo = false, envelope = false, had_ip = rd->r->ip.family != 0;

	while (c.len) {
		struct span word = comment_word(&c);
		struct span value = word, key = span_cut(&value, '=');
		if (word.len == 0)
			continue;
		if (helo) {
			take_pair(rd, SPAN("helo"), word);
			helo = false;
		} else if (envelope) {
			take_pair(rd, SPAN("envelope-from"), word);
			envelope = false;
		} else if (span_caseis(word, "HELO") ||
			   span_caseis(word, "EHLO")) {
			helo = true;
		} else if (span_caseis(word, "envelope-from")) {
			envelope = true;
		} else if (value.p) {
			take_pair(rd, key, value);
		} else if (span_caseis(word, "may")) {
			rd->r->forged = true; /* `(may be forged)` */
			break;
		} else {
			take_host(rd, word, &host);
		}
	}
	/* A name counts only beside the address it was looked up for. */
	if (host.len && !had_ip && rd->r->ip.family)
		rd->r->rdns = host_of(host);
}

static void
take_comment(struct reader *rd, struct span c)
{
	struct received *r = rd->r;

	c = span_trim(c);
	if (take_manner(rd, c))
		return;
	if (rd->clause == FROM) {
		rd->value = true; /* `from (host [ip]) by`: HELO was empty */
		take_client(rd, c);
		return;
	}
	struct span rest = c, first = span_word(&rest);
	if (span_caseis(first, "envelope-from") && !r->envelope_from.len)
		r->envelope_from = without_brackets(span_word(&rest));
}

/* --- clauses -------------------------------------------------------------- */

/* ESMTPA, ESMTPSA, UTF8SMTPSA, LMTPA (RFC 3848, 6531), and Exim's asmtp. */
static void
take_protocol(struct received *r, struct span with)
{
	struct span rest = with, word = span_word(&rest);
	bool smtp = false;

	if (span_casestarts(word, SPAN("UTF8")))
		word = span_skip(word, 4);
	if (span_caseis(word, "asmtp"))
		r->auth = true;
	if (span_casestarts(word, SPAN("E")))
		word = span_skip(word, 1);
	smtp = span_casestarts(word, SPAN("SMTP")) ||
	       span_casestarts(word, SPAN("LMTP"));
	word = span_skip(word, 4);
	if (!smtp)
		return;
	if (span_caseis(word, "S") || span_caseis(word, "SA"))
		r->tls = true;
	if (span_caseis(word, "A") || span_caseis(word, "SA"))
		r->auth = true;
}

static void
take_from(struct reader *rd, struct span word)
{
	struct ip ip;

	if (!rd->value) {
		rd->from = word;
		rd->r->helo = word;
	} else if (rd->r->ip.family == 0 && parse_ip(word, &ip)) {
		rd->r->ip = ip; /* `from host [ip] by` */
	} else if (span_is(rd->from, "mail") && span_is(word, "pickup")) {
		rd->local = true; /* `from mail pickup service by` */
	}
}

static void
take_value(struct reader *rd, struct span word)
{
	struct received *r = rd->r;

	switch (rd->clause) {
	case FROM:
		take_from(rd, word);
		break;
	case BY:
		if (!rd->value)
			r->by = host_of(word);
		break;
	case WITH:
		/* `Microsoft SMTP Server`: all words up to the next clause. */
		if (!rd->value)
			r->with = word;
		else if (word.p > r->with.p + r->with.len &&
			 word.p - (r->with.p + r->with.len) == 1)
			r->with.len = (size_t)(word.p - r->with.p) + word.len;
		break;
	case ID:
		if (!rd->value)
			r->id = without_brackets(word);
		break;
	case NONE:
	case VIA:
	case FOR:
		break;
	}
	rd->value = true;
}

/* Clauses come in one order; a word that would go back is a value, so that a
 * client cannot say `by` in its HELO name and be read as the server. */
static bool
is_clause(const struct reader *rd, struct span word, enum clause *ret)
{
	for (size_t i = 0; i < sizeof clauses / sizeof *clauses; i++) {
		if (!span_caseis(word, clauses[i].word))
			continue;
		*ret = clauses[i].clause;
		if (rd->clause == NONE)
			return true;
		return rd->value && *ret > FROM && *ret != rd->clause;
	}
	return false;
}

static void
take_word(struct reader *rd, struct span word)
{
	enum clause clause;

	if (is_clause(rd, word, &clause)) {
		/* Of two servers one was named by the client. */
		if (clause == BY && rd->r->by.p)
			rd->r->unsure = true;
		rd->clause = clause;
		rd->value = false;
	} else if (rd->clause != NONE) {
		take_value(rd, word);
	}
}

/* Offset behind the comment that begins at s[i]; the end if it is unclosed. */
static size_t
comment_end(struct span s, size_t i)
{
	unsigned depth = 0;

	for (; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.len;
}

/* Reads words and comments up to the date; returns what follows the last `;`
 * outside of comments. */
static struct span
read_clauses(struct reader *rd, struct span s)
{
	struct span date = SPAN_NONE;

	for (size_t i = 0; i < s.len;) {
		size_t from = i;
		if (ascii_is_space(s.p[i])) {
			i++;
		} else if (s.p[i] == ';') {
			date = span_skip(s, ++i);
			/* Sendmail's Received ends here; others have more. */
			if (span_find_char(date, ';') == SPAN_NPOS)
				return date;
		} else if (s.p[i] == '(') {
			i = comment_end(s, i);
			bool closed = s.p[i - 1] == ')';
			rd->r->unsure |= !closed;
			take_comment(rd,
			    span_make(s.p + from + 1, i - from - 1 - closed));
		} else {
			while (i < s.len && !ascii_is_space(s.p[i]) &&
			       s.p[i] != '(' && s.p[i] != ';')
				i++;
			take_word(rd, span_make(s.p + from, i - from));
		}
	}
	return date;
}

/* Whose name is the word behind `from`? The client's own, unless a comment
 * has that. */
static void
settle(struct reader *rd)
{
	struct received *r = rd->r;
	struct ip ip;

	if (rd->from.len && parse_ip(rd->from, &ip)) {
		/* `from [ip] (helo=x)`, and a client that says HELO [ip] */
		if (r->ip.family == 0) {
			r->ip = ip;
			r->unsure |= !rd->exim;
		}
	} else if (rd->helo_said || (rd->exim && !r->rdns.len)) {
		r->rdns = host_of(rd->from);
	}
	take_protocol(r, r->with);
	if (span_caseis(r->with, "local"))
		rd->local = true;
}

bool
received_parse(struct received *ret, struct span value, struct arena *arena)
{
	struct reader rd = {.r = ret};

	*ret = (struct received){.time = -1};
	struct span s = header_unfold(value, arena);
	struct span date = read_clauses(&rd, s);
	settle(&rd);
	if (date.p)
		ret->time = received_date(date);
	/* `from unknown (HELO )` names nobody. */
	return (ret->helo.len || ret->rdns.len || ret->ip.family) && !rd.local;
}
