#include "filter/ref.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/arena.h"
#include "filter/base/map.h"
#include "tests/lib/tap.h"

static const int64_t noon = REF_EPOCH + 60000000; /* late in 2026 */

static struct ref_key
key_of(uint8_t seed)
{
	struct ref_key key;

	for (size_t i = 0; i < sizeof key.bytes; i++)
		key.bytes[i] = (uint8_t)(seed + i * 7);
	return key;
}

static void
test_text(void)
{
	struct ref_key key = key_of(1), other = key_of(2);
	char text[REF_TEXT_SIZE], again[REF_TEXT_SIZE];
	uint64_t number;

	TAP_CASE("a ref is three groups of four")
	ref_format(&key, 42, text);
	CHECK_INT(strlen(text), 14);
	CHECK(text[4] == '-' && text[9] == '-');
	CHECK_INT(strspn(text, "0123456789ABCDEFGHJKMNPQRSTVWXYZ-"), 14);

	TAP_CASE("every number comes back")
	static const uint64_t numbers[] = {0, 1, 255, 256, 1 << 24,
	    (UINT64_C(1) << 55) - 1, UINT64_C(0x2aaaaaaaaaaaaa),
	    UINT64_C(0x55555555555555)};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		ref_format(&key, numbers[i], text);
		CHECK(ref_parse(&key, span_of(text), &number) == 0 &&
		      number == numbers[i]);
	}

	TAP_CASE("neighbours look unrelated, keys give other refs")
	ref_format(&key, 1000, text);
	ref_format(&key, 1001, again);
	int same = 0;
	for (int i = 0; i < 13; i++)
		same += text[i] != '-' && text[i] == again[i];
	CHECK(same <= 6);
	ref_format(&other, 1000, again);
	CHECK(strcmp(text, again) != 0);
}

static void
test_parse(void)
{
	struct ref_key key = key_of(3);
	char text[REF_TEXT_SIZE], typed[64];
	uint64_t number;
	size_t n;

	TAP_CASE("people type it in any case, with or without dashes")
	ref_format(&key, UINT64_C(0x123456789abcd), text);
	for (n = 0; text[n]; n++)
		typed[n] = ascii_lower(text[n]);
	CHECK_INT(ref_parse(&key, span_make(typed, n), &number), 0);
	CHECK_INT(number, INT64_C(0x123456789abcd));
	n = 0;
	for (size_t i = 0; text[i]; i++)
		if (text[i] != '-')
			typed[n++] = text[i];
	CHECK_INT(ref_parse(&key, span_make(typed, n), &number), 0);
	CHECK_INT(number, INT64_C(0x123456789abcd));

	TAP_CASE("O is read as 0, I and L as 1")
	for (uint64_t i = 0; i < 200; i++) {
		ref_format(&key, i, text);
		for (n = 0; text[n]; n++)
			typed[n] = text[n] == '0'   ? 'o'
				   : text[n] == '1' ? (i % 2 ? 'I' : 'l')
						    : text[n];
		CHECK(ref_parse(&key, span_make(typed, n), &number) == 0 &&
		      number == i);
	}

	TAP_CASE("a single wrong character is noticed")
	ref_format(&key, 77, text);
	for (size_t i = 0; text[i]; i++) {
		char was = text[i];
		if (was == '-')
			continue;
		text[i] = was == 'A' ? 'B' : 'A';
		CHECK(ref_parse(&key, span_of(text), &number) == ERR_SYNTAX);
		text[i] = was;
	}

	TAP_CASE("what is no ref is refused")
	static const char *const bad[] = {"", "-", "7K3M", "UUUU-UUUU-UUUU",
	    "7K3M-9QXD-2T5V7", "7K3M 9QXD 2T5", "7K3M-9QXD-2T5\xc3"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(ref_parse(&key, span_of(bad[i]), &number) == ERR_SYNTAX);
	CHECK(ref_parse(&key,
		  SPAN("0000\0"
		       "0000000"),
		  &number) == ERR_SYNTAX);
}

static void
test_numbers(void)
{
	struct ref_key key = key_of(4);
	struct ref_source a, b;

	TAP_CASE("numbers rise and say the second and the node")
	ref_source_init(&a, &key, 7, noon);
	uint64_t first = ref_next(&a, noon + 5),
		 second = ref_next(&a, noon + 5);
	CHECK(second > first);
	CHECK_INT(ref_time(first), noon + 5);
	CHECK_INT(first & 255, 7);

	TAP_CASE("a start skips one second")
	ref_source_init(&a, &key, 0, noon);
	CHECK_INT(ref_time(ref_next(&a, noon)), noon + 1);
	for (int i = 0; i < 1000; i++)
		first = ref_next(&a, noon);
	ref_source_init(&b, &key, 0, noon + 1);
	CHECK(ref_next(&b, noon + 1) > first);

	TAP_CASE("time never runs back")
	ref_source_init(&a, &key, 0, noon);
	first = ref_next(&a, noon + 1000);
	CHECK(ref_next(&a, noon - 5000) > first);
	CHECK(ref_next(&a, 0) > first);

	TAP_CASE("more than 65,536 in a second stay unique")
	uint64_t last = 0;
	bool rising = true;
	ref_source_init(&a, &key, 0, noon);
	for (int i = 0; i < 200000; i++) {
		uint64_t next = ref_next(&a, noon + 1);
		rising = rising && next > last;
		last = next;
	}
	CHECK(rising);

	TAP_CASE("shown refs of 50,000 numbers are all different")
	struct arena *arena = arena_new(0);
	struct map seen;
	bool unique = true;
	map_init(&seen, arena, false);
	ref_source_init(&a, &key, 0, noon);
	for (int i = 0; i < 50000; i++) {
		char *text = arena_alloc(arena, REF_TEXT_SIZE);
		ref_format(&key, ref_next(&a, noon + i / 100), text);
		unique = unique && !map_get(&seen, span_of(text)) &&
			 map_put(&seen, span_of(text), text) == 0;
	}
	CHECK(unique);
	arena_free(arena);
}

static void
test_key(void)
{
	char folder[] = "/tmp/assay-test-XXXXXX", path[64];
	struct ref_key one, two;
	struct err err;
	struct stat st;

	if (!mkdtemp(folder)) {
		tap_skip("site.key", "no temporary folder");
		return;
	}
	snprintf(path, sizeof path, "%s/site.key", folder);

	TAP_CASE("who only reads makes no key")
	CHECK_INT(ref_key_read(folder, &one, &err), ERR_NOTFOUND);
	CHECK(strstr(err.text, "site.key") != NULL);
	CHECK(access(path, F_OK) != 0);

	TAP_CASE("the key is made once and read again")
	CHECK_INT(ref_key_load(folder, &one, &err), 0);
	CHECK_INT(ref_key_read(folder, &two, &err), 0);
	CHECK(memcmp(&one, &two, sizeof one) == 0);
	CHECK_INT(ref_key_load(folder, &two, &err), 0);
	CHECK(memcmp(&one, &two, sizeof one) == 0);

	TAP_CASE("it is readable by owner and group alone")
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0640);

	TAP_CASE("a file that is no key is refused, not replaced")
	FILE *f = fopen(path, "w");
	CHECK(f && fputs("hello\n", f) >= 0 && fclose(f) == 0);
	CHECK_INT(ref_key_load(folder, &two, &err), ERR_SYNTAX);
	CHECK(stat(path, &st) == 0 && st.st_size == 6);

	TAP_CASE("a key that others can write is refused")
	unlink(path);
	CHECK_INT(ref_key_load(folder, &one, &err), 0);
	CHECK(chmod(path, 0666) == 0);
	CHECK_INT(ref_key_load(folder, &two, &err), ERR_ACCESS);

	TAP_CASE("a folder that is not there is an error")
	unlink(path);
	rmdir(folder);
	CHECK(ref_key_load(folder, &one, &err) != 0);
}

int
main(void)
{
	test_text();
	test_parse();
	test_numbers();
	test_key();
	return tap_done();
}
