#include "filter/learn/token_set.h"

#include "filter/base/ip.h"
#include "filter/learn/token_words.h"
#include "filter/mail/received.h"

/*
 * Tokens of header fields, each marked with its field. Not read is what
 * somebody wrote as a verdict (it would teach us their opinion, and senders can
 * forge it), what the delivery adds behind us (it is there when a stored message
 * is trained and not when it is judged), and what is different each time. What
 * every message has is read first, so that invented fields cannot crowd it out.
 */

#define FIELDS_READ 200 /* of the table, and of others */
#define KNOWN_TOKENS 1000
#define OTHER_TOKENS 600
#define FIELD_WORDS 40
#define RECEIVED_READ 8
#define NAME_MAX 40 /* bytes of a name in a mark */

enum how {
	READ_OTHER, /* words too; of a field that is not in the table */
	READ_WORDS,
	READ_NOTHING,
	READ_SUBJECT,
	READ_RECEIVED,
	READ_DATE,
	READ_ID,
	READ_SIGNATURE,
};

static const struct {
	const char *name;
	enum how how;
} fields[] = {
    {"Subject", READ_SUBJECT},
    {"Received", READ_RECEIVED},
    {"Date", READ_DATE},
    {"Message-ID", READ_ID},
    {"DKIM-Signature", READ_SIGNATURE},
    {"DomainKey-Signature", READ_SIGNATURE},
    {"From", READ_WORDS},
    {"Sender", READ_WORDS},
    {"Reply-To", READ_WORDS},
    {"To", READ_WORDS},
    {"Cc", READ_WORDS},
    {"X-Mailer", READ_WORDS},
    {"User-Agent", READ_WORDS},
    {"Content-Type", READ_WORDS},
    {"Content-Transfer-Encoding", READ_WORDS},
    {"In-Reply-To", READ_WORDS},
    {"References", READ_WORDS},
    {"List-Id", READ_WORDS},
    {"List-Unsubscribe", READ_WORDS},
    /* verdicts of others, or of ours */
    {"Authentication-Results", READ_NOTHING},
    {"Received-SPF", READ_NOTHING},
    {"X-Bogosity", READ_NOTHING},
    {"X-PerlMx", READ_NOTHING},
    {"X-Sieve", READ_NOTHING},
    {"X-Greylist", READ_NOTHING},
    {"X-Quarantine-ID", READ_NOTHING},
    {"X-Report-Abuse", READ_NOTHING},
    {"X-Priority-Inbox", READ_NOTHING},
    /* of delivery and of mailboxes */
    {"Return-Path", READ_NOTHING},
    {"Delivered-To", READ_NOTHING},
    {"X-Original-To", READ_NOTHING},
    {"X-Delivered-To", READ_NOTHING},
    {"Envelope-To", READ_NOTHING},
    {"Delivery-Date", READ_NOTHING},
    {"Status", READ_NOTHING},
    {"X-Status", READ_NOTHING},
    {"X-Keywords", READ_NOTHING},
    {"X-UID", READ_NOTHING},
    {"X-UIDL", READ_NOTHING},
    {"X-IMAP", READ_NOTHING},
    {"X-IMAPbase", READ_NOTHING},
    {"X-Label", READ_NOTHING},
    {"X-Folder", READ_NOTHING},
    {"Lines", READ_NOTHING},
    {"Content-Length", READ_NOTHING},
    {"Xref", READ_NOTHING},
};

/* Beginnings and parts of names that speak of a verdict, or of a mailbox. */
static const char *const verdict_starts[] = {
    "X-Assay-",
    "X-Rspam",
    "X-DSPAM-",
    "X-CRM114-",
    "X-Barracuda-",
    "X-MailScanner",
    "X-Proofpoint-",
    "X-Amavis",
    "X-IronPort-",
    "X-Forefront-",
    "X-MS-Exchange-",
    "X-Microsoft-",
    "X-PMX-",
    "X-SA-",
    "X-Ham-",
    "X-AV-",
    "X-Mozilla-",
    "X-Evolution",
    "X-Gmail-",
    "X-GM-",
    "X-Envelope-",
    "X-Scanned",
    "ARC-",
};
static const char *const verdict_parts[] = {
    "spam",
    "virus",
    "bogo",
    "phish",
    "malware",
    "scanner",
};

static bool
is_verdict(struct span name)
{
	for (size_t i = 0; i < sizeof verdict_starts / sizeof *verdict_starts;
	     i++)
		if (span_casestarts(name, span_of(verdict_starts[i])))
			return true;
	for (size_t i = 0; i < sizeof verdict_parts / sizeof *verdict_parts;
	     i++)
		if (span_casefind(name, span_of(verdict_parts[i]), 0) !=
		    SPAN_NPOS)
			return true;
	return false;
}

static enum how
how_to_read(struct span name)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (span_caseis(name, fields[i].name))
			return fields[i].how;
	return is_verdict(name) ? READ_NOTHING : READ_OTHER;
}

/* --- words of a field ------------------------------------------------------------- */

/* An address by its networks too: /24 and /16, or /64 and /48. */
static void
add_address(struct token_set *set, struct span prefix, struct ip ip)
{
	char text[IP_TEXT_SIZE];

	ip_format(&ip, text);
	token_add(set, prefix, span_of(text));
	for (int step = 0; step < 2; step++) {
		size_t keep = ip.family == 4 ? (step ? 2 : 3) : (step ? 6 : 8);
		memset(ip.bytes + keep, 0, sizeof ip.bytes - keep);
		ip_format(&ip, text);
		token_add(set, prefix,
		    arena_printf(set->arena, "%s/%zu", text, keep * 8));
	}
}

/* A host name or address also by what it belongs to; a version by its end. */
static void
add_parent(struct token_set *set, struct span prefix, struct span word)
{
	size_t at = span_rfind_char(word, '@');

	if (at != SPAN_NPOS && at + 1 < word.len) {
		token_add(set, prefix, span_skip(word, at));
		return;
	}
	at = span_rfind_char(word, '.');
	if (at == SPAN_NPOS)
		return;
	size_t before = span_rfind_char(span_head(word, at), '.');
	if (before != SPAN_NPOS)
		token_add(set, prefix, span_skip(word, before));
}

static void
add_word(struct token_set *set, struct span prefix, struct span word)
{
	struct ip ip;

	if (ip_parse(word, &ip) == 0) {
		add_address(set, prefix, ip);
		return;
	}
	token_add(set, prefix, word);
	add_parent(set, prefix, word);
}

static void
read_words(struct token_set *set, struct span prefix, struct span text)
{
	struct token_words words;
	struct span word;

	token_words_init(&words, text, false);
	for (int i = 0; i < FIELD_WORDS; i++) {
		if (!token_words_next(&words, &word))
			return;
		add_word(set, prefix, word);
	}
}

static void
read_subject(struct token_set *set, struct span prefix, struct span text)
{
	struct token_words words;
	struct span word, before = SPAN_NONE;

	token_words_init(&words, text, false);
	for (int i = 0; i < FIELD_WORDS; i++) {
		if (!token_words_next(&words, &word))
			return;
		token_add(set, prefix, word);
		if (before.len)
			token_add_pair(set, prefix, before, word);
		before = word;
	}
}

/* --- fields of a known form ---------------------------------------------------------- */

/* Who gave it to whom and how; not the queue id, whom it is for, the time. */
static void
read_received(struct token_set *set, struct span prefix, struct span text)
{
	struct span way = span_head(text, span_rfind_char(text, ';'));
	struct token_words words;
	struct received client;
	struct span word;

	/* The words do not hold IPv6 addresses together. */
	if (received_parse(&client, text, set->arena) && client.ip.family == 6)
		add_address(set, prefix, client.ip);
	token_words_init(&words, way, false);
	for (int i = 0; i < FIELD_WORDS; i++) {
		if (!token_words_next(&words, &word))
			return;
		if (span_caseis(word, "id") || span_caseis(word, "for")) {
			if (!token_words_next(&words, &word))
				return;
			continue;
		}
		add_word(set, prefix, word);
	}
}

/* The zone, which is where the sender's clock says it is. */
static void
read_date(struct token_set *set, struct span prefix, struct span text)
{
	struct span word = SPAN_NONE, last = SPAN_NONE;

	for (int i = 0; i < FIELD_WORDS; i++) {
		word = span_word(&text);
		if (!word.len)
			break;
		if (word.p[0] == '+' || word.p[0] == '-')
			last = word;
	}
	token_add(set, prefix, last);
}

/* Letters to 'a', digits to '0', runs as one: what the program's ids look like;
 * and the host. */
static void
read_id(struct token_set *set, struct span prefix, struct span text)
{
	char shape[TOKEN_MAX_BYTES];
	size_t at = span_rfind_char(text, '@');
	size_t n = 0;
	struct span left = span_head(text, at);

	for (size_t i = 0; i < left.len && n < sizeof shape; i++) {
		char c = left.p[i];
		if (ascii_is_digit(c))
			c = '0';
		else if (ascii_is_alpha(c))
			c = 'a';
		if (n == 0 || shape[n - 1] != c)
			shape[n++] = c;
	}
	token_add(set, prefix, span_make(shape, n));
	if (at != SPAN_NPOS)
		read_words(set, prefix, span_skip(text, at + 1));
}

/* Domain and selector; hashes say nothing. */
static void
read_signature(struct token_set *set, struct span prefix, struct span text)
{
	while (text.p) {
		struct span value = span_trim(span_cut(&text, ';'));
		struct span tag = span_trim(span_cut(&value, '='));
		if (span_is(tag, "d") || span_is(tag, "s"))
			token_add(set, prefix, span_trim(value));
	}
}

static void
read_field(struct token_set *set, struct message *m, const struct header *h,
    enum how how)
{
	static void (*const readers[])(
	    struct token_set * set, struct span prefix, struct span text) = {
	    [READ_OTHER] = read_words,
	    [READ_WORDS] = read_words,
	    [READ_SUBJECT] = read_subject,
	    [READ_RECEIVED] = read_received,
	    [READ_DATE] = read_date,
	    [READ_ID] = read_id,
	    [READ_SIGNATURE] = read_signature,
	};
	char prefix[4 + NAME_MAX + 1] = "hdr:";
	struct span name = span_head(span_trim(h->name), NAME_MAX);
	size_t n = 4;

	for (size_t i = 0; i < name.len; i++)
		prefix[n++] = ascii_lower(name.p[i]);
	prefix[n++] = '=';
	/* That it is there, whatever it holds. */
	token_add(set, span_make(prefix, n - 1), SPAN(""));
	readers[how](set, span_make(prefix, n), message_header_text(m, h));
}

/* All fields of the table, or all others. */
static void
read_fields(struct token_set *set, struct message *m, bool others)
{
	const struct header_list *headers = message_headers(m);
	size_t read = 0, received = 0;

	for (size_t i = 0; i < headers->fields.n && read < FIELDS_READ; i++) {
		const struct header *h = &headers->fields.v[i];
		enum how how = how_to_read(span_trim(h->name));
		if (how == READ_NOTHING || (how == READ_OTHER) != others ||
		    (how == READ_RECEIVED && received++ >= RECEIVED_READ))
			continue;
		read++;
		read_field(set, m, h, how);
	}
}

void
token_read_headers(struct token_set *set, struct message *m)
{
	token_region(set, KNOWN_TOKENS);
	read_fields(set, m, false);
	token_region(set, OTHER_TOKENS);
	read_fields(set, m, true);
}
