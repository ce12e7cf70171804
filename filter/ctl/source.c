#include "filter/ctl/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/file.h"

/* Where messages to check come from. Only an mbox and standard input are read
 * at once; files of a folder are read when their turn comes. */

static int
add_item(struct source_list *list, const char *name, const char *path,
    struct span text, struct err *err)
{
	struct source_item *item = VEC_PUSH(list->arena, &list->items);

	if (!item)
		return err_set(err, ERR_NOMEM, "out of memory");
	*item = (struct source_item){name, path, text};
	return 0;
}

static const char *
join(struct source_list *list, const char *folder, struct span name)
{
	struct span folder_span = span_of(folder);

	while (folder_span.len > 1 && folder_span.p[folder_span.len - 1] == '/')
		folder_span.len--;
	struct span full = arena_printf(
	    list->arena, "%.*s/%.*s", SPAN_ARG(folder_span), SPAN_ARG(name));
	return arena_cstr(list->arena, full);
}

static int
add_folder(
    struct source_list *list, const char *path, bool maildir, struct err *err)
{
	struct span *names;
	size_t n;
	int rc = file_list(path, NULL, list->arena, &names, &n, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct stat st;
		const char *full = join(list, path, names[i]);
		if (!full)
			return err_set(err, ERR_NOMEM, "out of memory");
		bool sub = span_is(names[i], "cur") || span_is(names[i], "new");
		/* What cannot be looked at is said when it is read. */
		if (stat(full, &st) || S_ISREG(st.st_mode))
			rc = add_item(list, full, full, SPAN_NONE, err);
		else if (S_ISDIR(st.st_mode) && sub && maildir)
			rc = add_folder(list, full, false, err);
	}
	return rc;
}

/* Offset of the next "From " line after an empty one, or the end. */
static size_t
next_separator(struct span text, size_t from)
{
	size_t at = from;

	while ((at = span_find(text, SPAN("\nFrom "), at)) != SPAN_NPOS) {
		bool empty =
		    at >= 1 && (text.p[at - 1] == '\n' ||
				   (text.p[at - 1] == '\r' && at >= 2 &&
				       text.p[at - 2] == '\n'));
		if (empty)
			return at + 1;
		at++;
	}
	return text.len;
}

/* Takes an mbox apart; one message keeps the plain name. */
static int
add_text(struct source_list *list, const char *name, struct span text,
    struct err *err)
{
	if (!span_starts(text, SPAN("From ")) ||
	    next_separator(text, 0) == text.len)
		return add_item(list, name, NULL, text, err);
	for (size_t at = 0, i = 1; at < text.len; i++) {
		size_t end = next_separator(text, at);
		struct span label =
		    arena_printf(list->arena, "%s:%zu", name, i);
		struct span one = span_head(span_skip(text, at), end - at);
		int rc = add_item(list, label.p, NULL, one, err);
		if (rc)
			return rc;
		at = end;
	}
	return 0;
}

static int
read_path(const char *path, size_t max, struct arena *arena, struct span *ret,
    struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set_errno(err, errno, "%s", path);
	int rc = file_read_fd(fd, max, arena, ret, err);
	if (rc)
		err_prefix(err, "%s: ", path);
	close(fd);
	return rc;
}

/* Only what could be an mbox is read before its turn comes. */
static bool
begins_like_mbox(const char *path)
{
	char start[5];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, start, sizeof start);

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)sizeof start &&
	       memcmp(start, "From ", sizeof start) == 0;
}

int
source_add(struct source_list *list, const char *path, struct err *err)
{
	size_t max = list->size_max ? list->size_max : SOURCE_SIZE_MAX;
	struct span text;
	int rc;

	if (strcmp(path, "-") == 0) {
		rc = file_read_fd(STDIN_FILENO, max, list->arena, &text, err);
		return rc ? err_prefix(err, "standard input: ")
			  : add_text(list, "-", text, err);
	}
	if (file_is_folder(path))
		return add_folder(list, path, true, err);
	if (!begins_like_mbox(path))
		return add_item(list, path, path, SPAN_NONE, err);
	rc = read_path(path, max, list->arena, &text, err);
	return rc ? rc : add_text(list, path, text, err);
}

int
source_read_max(const struct source_item *item, size_t max, struct arena *arena,
    struct span *ret, struct err *err)
{
	if (item->path)
		return read_path(item->path, max, arena, ret, err);
	if (item->text.len > max)
		return err_set(err, ERR_LIMIT, "%s: larger than %zu bytes",
		    item->name, max);
	*ret = item->text;
	return 0;
}

int
source_read(const struct source_item *item, struct arena *arena,
    struct span *ret, struct err *err)
{
	return source_read_max(item, SOURCE_SIZE_MAX, arena, ret, err);
}
