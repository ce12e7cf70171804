/* MIME trees are SpamAssassin's, whatever the message; limits hold and are
 * flagged. The hostile rows 11 to 22 stand here. */
#include "filter/mail/mime.h"

#include <stdlib.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

#define BUDGET ((size_t)64 << 20)

static struct mime_tree
walk(struct arena *a, struct span message)
{
	struct header_list headers;
	struct mime_tree tree;

	header_init(&headers, a);
	size_t body = header_parse(&headers, message);
	CHECK(mime_walk(&tree, &headers, span_skip(message, body), a));
	return tree;
}

/* "type(type,type)": the shape of a tree. */
static void
add_shape(struct buf *out, const struct mime_tree *tree)
{
	unsigned depth = 0;

	for (size_t i = 0; i < tree->parts.n; i++) {
		const struct mime_part *part = tree->parts.v[i];
		struct span type = part->ctype.type;
		if (part->depth > depth)
			buf_add_char(out, '(');
		while (depth > part->depth) {
			buf_add_char(out, ')');
			depth--;
		}
		if (part->depth == depth && i && out->len &&
		    out->p[out->len - 1] != '(')
			buf_add_char(out, ',');
		depth = part->depth;
		buf_add_span(
		    out, span_skip(type, span_find_char(type, '/') + 1));
	}
	while (depth-- > 0)
		buf_add_char(out, ')');
}

static struct span
shape(struct arena *a, const struct mime_tree *tree)
{
	struct buf out;

	buf_init(&out, a, 1 << 20);
	add_shape(&out, tree);
	return buf_span(&out);
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\n\n"

static void
test_shapes(struct arena *a)
{
	static const struct {
		const char *claim, *message, *shape;
		unsigned flags;
	} cases[] = {
	    {"text alone", "Subject: x\n\ntext\n", "plain", 0},
	    {"two parts", MIXED "--b\n\none\n--b\n\ntwo\n--b--\n",
		"mixed(plain,plain)", 0},
	    {"RFC 2046 section 5.1.1: preamble and epilogue",
		MIXED "preamble\n--b\n\nx\n--b\nContent-Type: text/html\n\ny\n"
		      "--b--\nepilogue\n",
		"mixed(plain,html)", MIME_EPILOGUE},
	    {"dots are no epilogue", MIXED "--b\n\nx\n--b--\n.\n\n",
		"mixed(plain)", 0},
	    {"nested",
		MIXED "--b\nContent-Type: multipart/alternative; boundary=c\n\n"
		      "--c\n\nx\n--c--\n--b\n\ny\n--b--\n",
		"mixed(alternative(plain),plain)", 0},
	    {"an outer boundary ends what is inside",
		MIXED "--b\nContent-Type: multipart/alternative; boundary=c\n\n"
		      "--c\n\nx\n--b\n\ny\n--b--\n",
		"mixed(alternative(plain),plain)", MIME_NO_END},
	    {"closing boundary missing", MIXED "--b\n\nx\n", "mixed(plain)",
		MIME_NO_END},
	    {"a boundary on the last line opens nothing", MIXED "--b\n\nx\n--b",
		"mixed(plain)", MIME_NO_END},
	    {"a boundary with blanks behind it (row 15)",
		MIXED "--b \n\nx\n--b-- \t\n", "mixed(plain)",
		MIME_BOUNDARY_ODD},
	    {"a boundary inside a line is none",
		MIXED "--b\n\nx --b\n --b\n--bb\n--b--x\n--b--\n",
		"mixed(plain)", 0},
	    {"the same boundary inside (row 15)",
		MIXED "--b\nContent-Type: multipart/mixed; boundary=b\n\n"
		      "--b\n\nx\n--b--\n--b\n\ny\n--b--\n",
		"mixed(mixed(plain),plain)", MIME_BOUNDARY_ODD},
	    {"a boundary that begins another (row 15)",
		MIXED "--b\nContent-Type: multipart/mixed; boundary=bc\n\n"
		      "--bc\n\nx\n--bc--\n--b\n\ny\n--b--\n",
		"mixed(mixed(plain),plain)", MIME_BOUNDARY_ODD},
	    {"no boundary parameter at the top is text (row 15)",
		"Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n", "plain",
		MIME_NO_BOUNDARY},
	    {"none inside: the body is its one part (row 15)",
		MIXED "--b\nContent-Type: multipart/mixed\n\n"
		      "Content-Type: text/html\n\nx\n--b--\n",
		"mixed(mixed(html))", MIME_NO_BOUNDARY},
	    {"boundary never found: all is one part (row 15)",
		MIXED "text\nmore\n", "mixed(plain)",
		MIME_BOUNDARY_NOT_FOUND | MIME_NO_END},
	    {"never found inside: with a part header",
		MIXED "--b\nContent-Type: multipart/mixed; boundary=c\n\n"
		      "Content-Type: text/html\n\nx\n--b--\n",
		"mixed(mixed(html))", MIME_BOUNDARY_NOT_FOUND | MIME_NO_END},
	    {"an end that nothing opened", MIXED "text\n--b--\nmore\n",
		"mixed(plain)", MIME_BOUNDARY_NOT_FOUND | MIME_EPILOGUE},
	    {"a message inside",
		"Content-Type: message/rfc822\n\nContent-Type: text/html\n\nx\n",
		"rfc822(html)", 0},
	    {"a message inside, encoded",
		"Content-Type: message/rfc822\n"
		"Content-Transfer-Encoding: base64\n\n"
		"Q29udGVudC1UeXBlOiB0ZXh0L2h0bWwKCng=\n",
		"rfc822(html)", 0},
	    {"a digest's parts are messages (RFC 2046 section 5.1.5)",
		"Content-Type: multipart/digest; boundary=b\n\n--b\n\n"
		"Subject: x\n\ny\n--b--\n",
		"digest(rfc822(plain))", 0},
	    {"multiparts in a message in a multipart",
		MIXED "--b\nContent-Type: message/rfc822\n\n"
		      "Content-Type: multipart/mixed; boundary=c\n\n"
		      "--c\n\nx\n--c--\n--b\n\ny\n--b--\n",
		"mixed(rfc822(mixed(plain)),plain)", 0},
	    {"partial and external are leaves, flagged (row 22)",
		MIXED "--b\nContent-Type: message/partial; id=x\n\nx\n--b\n"
		      "Content-Type: message/external-body\n\nx\n--b--\n",
		"mixed(partial,external-body)", MIME_PARTIAL | MIME_EXTERNAL},
	    {"the last of two types counts, flagged (row 16)",
		"Content-Type: text/html\nContent-Type: text/plain\n\nx\n",
		"plain", MIME_MULTIPLE_CTYPE},
	    {"two encodings, flagged (row 16)",
		"Content-Transfer-Encoding: 7bit\n"
		"Content-Transfer-Encoding: 8bit\n\nx\n",
		"plain", MIME_MULTIPLE_CTYPE},
	    {"unknown encoding, flagged (row 16)",
		"Content-Transfer-Encoding: x-uuencode\n\nx\n", "plain",
		MIME_BAD_ENCODING},
	    {"an encoding with a comment, flagged (row 16)",
		"Content-Transfer-Encoding: base64 (x)\n\nx\n", "plain",
		MIME_BAD_ENCODING},
	    {"a part without an empty line, flagged",
		MIXED "--b\nContent-Type: text/html\nno field\nx\n--b--\n",
		"mixed(html)", MIME_PART_HEADER},
	    {"NUL and bare CR, flagged (row 11)", "Subject: x\n\na\rb\n",
		"plain", MIME_BARE_CR},
	};
	const unsigned always = MIME_BARE_LF;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mime_tree tree = walk(a, span_of(cases[i].message));
		TAP_CASE(cases[i].claim)
		CHECK_STR(shape(a, &tree), cases[i].shape);
		CHECK_INT(tree.flags & ~always, cases[i].flags);
	}
}

static struct span
decoded(struct arena *a, struct mime_tree *tree, size_t index)
{
	return mime_decode(tree, tree->parts.v[index], 1 << 20, a);
}

static void
test_decode(struct arena *a)
{
	static const struct {
		const char *claim, *head, *body, *decoded;
		unsigned flags;
	} cases[] = {
	    {"CRLF becomes LF", "", "a\r\nb\r\n", "a\nb\n", 0},
	    {"a bare CR stays (row 11)", "", "a\rb\r\r\n", "a\rb\r\n", 0},
	    {"quoted-printable (RFC 2045 section 6.7)",
		"Content-Transfer-Encoding: quoted-printable\n",
		"a=3D=\r\nb \t\r\nc=e9", "a=b\nc\xe9", 0},
	    {"its broken forms stay (row 18)",
		"Content-Transfer-Encoding: Quoted-Printable\n",
		"=Z =4 = x=", "=Z =4 = x=", MIME_QP_BAD},
	    {"encoded CR before a line end",
		"Content-Transfer-Encoding: quoted-printable\n",
		"a=0D\r\nb=0D=0Ac", "a\nb\nc", 0},
	    {"base64", "Content-Transfer-Encoding: BASE64\n",
		"YQ0K\r\nYg==\r\n", "a\nb", 0},
	    {"with foreign characters (row 17)",
		"Content-Transfer-Encoding: base64\n", "Y!Q 0-K", "a\n",
		MIME_BASE64_FOREIGN},
	    {"padding missing (row 17)", "Content-Transfer-Encoding: base64\n",
		"YWI", "ab", 0},
	    {"an attachment that is no text keeps its bytes",
		"Content-Type: application/pdf\n", "a\r\nb", "a\r\nb", 0},
	    {"base64 that is no text, too",
		"Content-Type: application/pdf\n"
		"Content-Transfer-Encoding: base64\n",
		"YQ0K", "a\r\n", 0},
	    {"uuencode in text (row 19)", "", "x\nbegin 644 a.exe\nM\n",
		"x\nbegin 644 a.exe\nM\n", MIME_UUENCODE},
	    {"yEnc in text (row 19)", "", "=ybegin line=128\n",
		"=ybegin line=128\n", MIME_UUENCODE},
	    {"BinHex in text (row 19)", "",
		"(This file must be converted with BinHex 4.0)\n",
		"(This file must be converted with BinHex 4.0)\n",
		MIME_UUENCODE},
	    {"no uuencode where none is", "", "begin 64x a\n begin 644 a\n",
		"begin 64x a\n begin 644 a\n", 0},
	    {"nothing", "", "", "", 0},
	};
	const unsigned walked = MIME_BARE_LF | MIME_BARE_CR;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct span text =
		    arena_printf(a, "%s\n%s", cases[i].head, cases[i].body);
		struct mime_tree tree = walk(a, text);
		TAP_CASE(cases[i].claim)
		CHECK_STR(decoded(a, &tree, 0), cases[i].decoded);
		CHECK_INT(tree.flags & ~walked, cases[i].flags);
	}
	TAP_CASE("at most so much comes out")
	struct mime_tree tree = walk(a, SPAN("\nabcdef\n"));
	CHECK_STR(mime_decode(&tree, tree.root, 3, a), "abc");
	tree = walk(a, SPAN("Content-Transfer-Encoding: base64\n\nYWJjZGVm\n"));
	CHECK_STR(mime_decode(&tree, tree.root, 2, a), "ab");
}

static void
add_times(struct buf *b, const char *text, size_t n)
{
	while (n--)
		buf_add_str(b, text);
}

static size_t
count(struct span text, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == c;
	return n;
}

/* Rule language, sections 3.1 and 3.3. */
static void
test_lines(struct arena *a)
{
	static const struct {
		size_t blank, kept;
	} runs[] = {{1, 1}, {19, 19}, {20, 20}, {21, 20}, {100, 20}};
	struct buf b;
	struct mime_tree tree;

	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		buf_init(&b, a, 1 << 20);
		buf_add_str(&b, "\nx\n");
		add_times(&b, "\n", runs[i].blank);
		buf_add_str(&b, "y\n");
		tree = walk(a, buf_span(&b));
		TAP_CASE("of many blank lines 20 stay")
		CHECK_INT(count(decoded(a, &tree, 0), '\n'), runs[i].kept + 2);
	}
	TAP_CASE("of those the first and the last 19")
	buf_init(&b, a, 1 << 20);
	buf_add_str(&b, "\nx\n \n");
	add_times(&b, "\t\n", 5);
	add_times(&b, "\n", 19);
	buf_add_str(&b, "y\n");
	tree = walk(a, buf_span(&b));
	struct span text = decoded(a, &tree, 0);
	CHECK_INT(count(text, ' '), 1);
	CHECK_INT(count(text, '\t'), 0);
	CHECK_INT(count(text, '\n'), 22);

	TAP_CASE("a boundary's line end counts to the run and goes")
	buf_init(&b, a, 1 << 20);
	buf_add_str(&b, MIXED "--b\n\nx\n");
	add_times(&b, "\n", 30);
	buf_add_str(&b, "--b--\n");
	tree = walk(a, buf_span(&b));
	CHECK_INT(count(decoded(a, &tree, 1), '\n'), 1 + 19);

	TAP_CASE("the line behind a part's header counts to it")
	buf_init(&b, a, 1 << 20);
	buf_add_str(&b, MIXED "--b\nX: y\n\n");
	add_times(&b, "\n", 30);
	buf_add_str(&b, "x\n--b--\n");
	tree = walk(a, buf_span(&b));
	CHECK_INT(count(decoded(a, &tree, 1), '\n'), 19);

	TAP_CASE("long lines are cut inside multiparts, once per multipart")
	buf_init(&b, a, 1 << 20);
	buf_add_str(&b, MIXED "--b\n\n");
	add_times(&b, "a", 5000);
	buf_add_str(&b, "\n--b\nContent-Type: multipart/x; boundary=c\n\n"
			"--c\n\n");
	add_times(&b, "a", 5000);
	buf_add_str(&b, "\n--c--\n--b--\n");
	tree = walk(a, buf_span(&b));
	CHECK_INT(count(decoded(a, &tree, 1), '\n'), 2);
	CHECK_INT(span_find_char(decoded(a, &tree, 1), '\n'), 2048);
	CHECK_INT(count(decoded(a, &tree, 3), '\n'), 4);

	TAP_CASE("outside they stay")
	buf_init(&b, a, 1 << 20);
	buf_add_str(&b, "\n");
	add_times(&b, "a", 5000);
	tree = walk(a, buf_span(&b));
	CHECK_INT(count(decoded(a, &tree, 0), '\n'), 0);

	TAP_CASE("a multipart without boundary gets an empty first line")
	tree = walk(a, SPAN("Content-Type: multipart/x\n\na\nb\n"));
	CHECK_STR(decoded(a, &tree, 0), "\na\nb\n");
}

/* --- hostile rows ------------------------------------------------------------------- */

static void
check_bounds(const struct mime_tree *tree, struct arena *a)
{
	CHECK(!arena_failed(a));
	CHECK(tree->parts.n <= MIME_PARTS_MAX);
	for (size_t i = 0; i < tree->parts.n; i++)
		if (tree->parts.v[i]->depth > MIME_DEPTH_MAX)
			CHECK(tree->parts.v[i]->depth <= MIME_DEPTH_MAX);
}

/* `n` multiparts, each in the one before. */
static struct span
nested(struct arena *a, unsigned n)
{
	struct buf b;

	buf_init(&b, a, SIZE_MAX / 4);
	for (unsigned i = 0; i < n; i++)
		buf_printf(&b,
		    "Content-Type: multipart/x; boundary=b%u\n\n--b%u\n", i, i);
	buf_add_str(&b, "\nx\n");
	return buf_span(&b);
}

static void
test_hostile(void)
{
	static const struct {
		const char *claim, *head, *unit;
		size_t n;
		unsigned flag;
	} cases[] = {
	    {"200,000 empty parts (row 14)", MIXED, "--b\n\n", 200000,
		MIME_PARTS_LIMIT},
	    {"200,000 parts without even a header", MIXED, "--b\n", 200000,
		MIME_PARTS_LIMIT},
	    {"messages 20,000 deep (row 22)", "",
		"Content-Type: message/rfc822\n\n", 20000, MIME_DEPTH_LIMIT},
	    {"a line of 10 MB (row 12)", MIXED "--b\n\n", "0123456789", 1000000,
		0},
	    {"1 MB of \"--\" lines", MIXED "--b\n\n", "--\n", 350000, 0},
	    {"a multipart without boundary, in itself", MIXED "--b\n",
		"Content-Type: multipart/x\n\n", 20000, MIME_DEPTH_LIMIT},
	    {"a million fields in parts", MIXED "--b\n", "a:\n", 1000000,
		MIME_PARTS_LIMIT},
	    {"a million blank lines", MIXED "--b\n\n", "\n", 1000000, 0},
	    {"a million lines of blanks", "\n", " \n", 1000000, 0},
	    {"ends and starts in turn", MIXED, "--b\n\n--b--\n", 100000, 0},
	    {"begin lines that are none", "\n", "begin 6\n", 200000, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *text = arena_new(0);
		struct buf b;
		buf_init(&b, text, SIZE_MAX / 4);
		buf_add_str(&b, cases[i].head);
		add_times(&b, cases[i].unit, cases[i].n);
		struct arena *a = arena_new(BUDGET);
		TAP_CASE(cases[i].claim)
		struct mime_tree tree = walk(a, buf_span(&b));
		check_bounds(&tree, a);
		CHECK((tree.flags & cases[i].flag) == cases[i].flag);
		for (size_t k = 0; k < tree.parts.n; k++)
			if (tree.parts.v[k]->leaf)
				(void)decoded(a, &tree, k);
		CHECK(!arena_failed(a));
		arena_free(a);
		arena_free(text);
	}

	struct arena *text = arena_new(0), *a = arena_new(BUDGET);
	TAP_CASE("multiparts 100,000 deep (row 13)")
	struct mime_tree tree = walk(a, nested(text, 100000));
	check_bounds(&tree, a);
	CHECK(tree.flags & MIME_DEPTH_LIMIT);
	CHECK_INT(tree.parts.n, MIME_DEPTH_MAX + 1);
	arena_free(a);
	arena_free(text);
}

static void
test_boundaries(struct arena *a)
{
	struct buf b;

	TAP_CASE("a boundary of 1,000 bytes works and is odd (row 15)")
	buf_init(&b, a, 1 << 20);
	buf_add_str(&b, "Content-Type: multipart/x; boundary=");
	add_times(&b, "b", 1000);
	buf_add_str(&b, "\n\n--");
	add_times(&b, "b", 1000);
	buf_add_str(&b, "\n\nx\n");
	struct mime_tree tree = walk(a, buf_span(&b));
	CHECK_INT(tree.parts.n, 2);
	CHECK(tree.flags & MIME_BOUNDARY_ODD);

	TAP_CASE("CRLF and bare LF make one tree (rows 11, 15)")
	tree = walk(a, SPAN("Content-Type: multipart/x; boundary=b\r\n\r\n"
			    "--b\r\n\r\none\r\n--b\n\ntwo\n--b--\r\n"));
	CHECK_INT(tree.parts.n, 3);
	CHECK(tree.flags & MIME_BARE_LF);
	CHECK_STR(tree.parts.v[1]->body, "one");
	CHECK_STR(tree.parts.v[2]->body, "two");

	TAP_CASE("CRLF alone is not odd")
	tree = walk(a, SPAN("Subject: x\r\n\r\na\r\nb\r\n"));
	CHECK_INT(tree.flags, 0);

	TAP_CASE("NUL bytes are noted and stay (row 11)")
	tree = walk(a, SPAN("Subject: x\r\n\r\na\0b\r\n"));
	CHECK_INT(tree.flags, MIME_NUL);
	CHECK_SPAN(decoded(a, &tree, 0), SPAN("a\0b\n"));
}

static void
test_names(struct arena *a)
{
	TAP_CASE("a part named .html is HTML, whatever its type says")
	struct mime_tree tree = walk(a,
	    SPAN("Content-Type: application/octet-stream; name=a.HTML\n\nx\n"));
	CHECK(tree.root->html_name);
	tree = walk(a, SPAN("Content-Type: text/plain\n"
			    "Content-Disposition: attachment; "
			    "filename=\"a.shtm\"\n\nx\n"));
	CHECK(tree.root->html_name && tree.root->attachment);
	tree = walk(a, SPAN("Content-Type: text/plain; name=a.htmlx\n\nx\n"));
	CHECK(!tree.root->html_name);
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_shapes(a);
	test_decode(a);
	test_lines(a);
	test_boundaries(a);
	test_names(a);
	test_hostile();
	arena_free(a);
	return tap_done();
}
