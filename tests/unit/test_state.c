#include "filter/state.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "tests/lib/tap.h"

/* The state folder and its lock, in a scratch folder. */

static char folder[] = "/tmp/assay-state-XXXXXX";

static struct settings
settings_in(const char *path)
{
	return (struct settings){.state = span_of(path)};
}

static void
test_lock(void)
{
	struct settings settings = settings_in(folder);
	int first = -1, second = -1;
	struct err err;
	int64_t before = clock_mono_ms();

	TAP_CASE("one holder takes the lock, at once")
	CHECK_INT(state_lock(&settings, 0, &first, &err), 0);
	TAP_CASE("a second one is refused, and told where")
	CHECK_INT(state_lock(&settings, 0, &second, &err), ERR_STATE);
	CHECK(span_find(span_of(err.text), SPAN("state.lock"), 0) != SPAN_NPOS);
	TAP_CASE("one that waits does so for its time only")
	CHECK_INT(state_lock(&settings, 60, &second, &err), ERR_STATE);
	CHECK(clock_mono_ms() - before >= 60);
	close(first);
	TAP_CASE("with the holder gone it is free")
	CHECK_INT(state_lock(&settings, 0, &second, &err), 0);
	close(second);
}

static void
test_start(void)
{
	struct settings settings = settings_in(folder);
	struct err err;
	int fd = -1;

	CHECK_INT(state_lock(&settings, 0, &fd, &err), 0);
	TAP_CASE("a start is counted by the clock")
	CHECK_INT(state_start(fd, 1795521600), 1795521600);
	TAP_CASE("a second one in the same second comes a second later")
	CHECK_INT(state_start(fd, 1795521600), 1795521601);
	TAP_CASE("and a third one, and with the clock set back a little")
	CHECK_INT(state_start(fd, 1795521600), 1795521602);
	CHECK_INT(state_start(fd, 1795521000), 1795521603);
	TAP_CASE("a clock that was far ahead is not followed")
	CHECK_INT(state_start(fd, 1700000000), 1700000000);
	TAP_CASE("a later start is the clock's again")
	CHECK_INT(state_start(fd, 1795530000), 1795530000);
	TAP_CASE("what somebody wrote there does not matter")
	CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, "junk\n", 5, 0) == 5);
	CHECK_INT(state_start(fd, 1795521600), 1795521600);
	close(fd);
}

static void
test_link(void)
{
	struct settings settings = settings_in(folder);
	struct arena *arena = arena_new(0);
	char *path = state_path(&settings, "state.lock", arena);
	struct err err;
	int fd = -1;

	TAP_CASE("a symbolic link in the lock's place is not followed")
	CHECK(unlink(path) == 0 && symlink("elsewhere", path) == 0);
	CHECK(state_lock(&settings, 0, &fd, &err) != 0);
	CHECK(unlink(path) == 0);
	arena_free(arena);
}

static void
test_make(void)
{
	struct arena *arena = arena_new(0);
	struct settings settings = settings_in(folder);
	char *inner = state_path(&settings, "inner", arena);
	struct stat st;
	struct err err;

	settings = settings_in(inner);
	TAP_CASE("a missing folder is made, closed to others")
	CHECK_INT(state_make(&settings, &err), 0);
	CHECK(stat(inner, &st) == 0 && (st.st_mode & 07) == 0);
	TAP_CASE("one that is there is used")
	CHECK_INT(state_make(&settings, &err), 0);
	rmdir(inner);
	settings = settings_in("/proc/nowhere/at-all");
	TAP_CASE("one whose parent is missing is an error")
	CHECK_INT(state_make(&settings, &err), ERR_NOTFOUND);
	arena_free(arena);
}

int
main(void)
{
	if (!mkdtemp(folder))
		return 1;
	test_lock();
	test_start();
	test_link();
	test_make();
	rmdir(folder);
	return tap_done();
}
