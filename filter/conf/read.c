#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/file.h"
#include "filter/conf/tree.h"

/*
 * Where text comes from: files, folders, include(). A file is known by device
 * and inode, so that a loop is found at its first turn whatever names it goes
 * by; a cap on the number of files ends what is no loop but never ends either.
 */

#define INCLUDE_DEFAULT "conf.d"

/* How a path came to be read. */
struct origin {
	const struct conf_source *from; /* NULL: asked for by the caller */
	struct conf_where where;        /* for errors */
	unsigned depth;
	bool must_exist;
};

static const struct conf_source *
being_read(const struct conf_source *source, const struct stat *st)
{
	while (
	    source && (source->dev != st->st_dev || source->ino != st->st_ino))
		source = source->from;
	return source;
}

/* Reads and parses an open, trusted file. */
static int
read_open(
    struct conf *conf, const char *name, int fd, const struct origin *origin)
{
	struct stat st;
	struct span text;
	struct err err;

	if (fstat(fd, &st))
		return conf_fail_code(
		    conf, origin->where, ERR_IO, "%s: cannot be read", name);
	const struct conf_source *loop = being_read(origin->from, &st);
	if (loop)
		return conf_fail_code(conf, origin->where, ERR_STATE,
		    "include() of \"%s\", which is being read already: a loop",
		    loop->name);
	int rc = file_read_fd(fd, CONF_FILE_SIZE_MAX, conf->arena, &text, &err);
	if (rc)
		return conf_fail_code(
		    conf, origin->where, rc, "%s: %s", name, err.text);
	const struct conf_source source = {.from = origin->from,
	    .name = name,
	    .depth = origin->depth,
	    .is_file = true,
	    .dev = st.st_dev,
	    .ino = st.st_ino};
	conf_parse(conf, &source, text);
	return 0;
}

static int
read_file(struct conf *conf, const char *path, const struct origin *origin)
{
	struct err err;
	int fd;
	char *name = arena_cstr(conf->arena, span_of(path));

	if (!name)
		return ERR_NOMEM;
	if (conf->files == CONF_FILES_MAX)
		return conf_fail_code(conf, origin->where, ERR_LIMIT,
		    "more than %d files", CONF_FILES_MAX);
	conf->files++;
	int rc = file_open_trusted(path, &fd, &err);
	if (rc == ERR_NOTFOUND && !origin->must_exist)
		return 0;
	if (rc)
		return conf_fail_code(conf, origin->where, rc, "%s", err.text);
	rc = read_open(conf, name, fd, origin);
	close(fd);
	return rc;
}

static int
read_folder(struct conf *conf, const char *path, const struct origin *origin)
{
	struct origin inside = *origin;
	struct span *names;
	size_t n;
	struct err err;
	int rc = file_list(path, ".conf", conf->arena, &names, &n, &err);

	if (rc == ERR_NOTFOUND && !origin->must_exist)
		return 0;
	if (rc)
		return conf_fail_code(conf, origin->where, rc, "%s", err.text);
	inside.must_exist = true;
	for (size_t i = 0; i < n; i++) {
		if (names[i].p[0] == '.')
			continue;
		struct span full = arena_printf(
		    conf->arena, "%s/%.*s", path, SPAN_ARG(names[i]));
		char *file = arena_cstr(conf->arena, full);
		int rc_file = file ? read_file(conf, file, &inside) : ERR_NOMEM;
		if (rc_file == ERR_NOMEM)
			return rc_file;
	}
	return 0;
}

/* Errors are in the tree; the caller looks there. */
static void
read_path(struct conf *conf, const char *path, const struct origin *origin)
{
	int rc = file_is_folder(path) ? read_folder(conf, path, origin)
				      : read_file(conf, path, origin);

	if (rc == ERR_NOMEM)
		arena_fail(conf->arena);
}

/* `path` as seen from the folder of the file `name`. */
static const char *
resolve(struct arena *arena, const char *name, struct span path)
{
	size_t slash = span_rfind_char(span_of(name), '/');

	if (slash == SPAN_NPOS || path.p[0] == '/')
		return arena_cstr(arena, path);
	struct span folder = span_head(span_of(name), slash + 1);
	return arena_cstr(arena,
	    arena_printf(arena, "%.*s%.*s", SPAN_ARG(folder), SPAN_ARG(path)));
}

void
conf_include(struct conf *conf, const struct conf_source *source,
    struct conf_where where, struct span path)
{
	const struct origin origin = {
	    .from = source,
	    .where = where,
	    .depth = source->depth + 1,
	    .must_exist = path.p != NULL,
	};

	if (!source->is_file) {
		conf_fail_code(conf, where, ERR_ACCESS,
		    "include() stands in a text that is no file");
		return;
	}
	if (origin.depth > CONF_INCLUDE_DEPTH) {
		conf_fail_code(conf, where, ERR_LIMIT,
		    "include() nested deeper than %d", CONF_INCLUDE_DEPTH);
		return;
	}
	const char *full = resolve(
	    conf->arena, source->name, path.p ? path : SPAN(INCLUDE_DEFAULT));
	if (full)
		read_path(conf, full, &origin);
}

int
conf_read(struct conf *conf, const char *path, bool must_exist)
{
	const struct origin origin = {.must_exist = must_exist};
	size_t before = conf->errors.n;

	read_path(conf, path, &origin);
	return conf_result(conf, before);
}

int
conf_read_folder(struct conf *conf, const char *path)
{
	const struct origin origin = {.must_exist = false};
	size_t before = conf->errors.n;

	if (read_folder(conf, path, &origin) == ERR_NOMEM)
		arena_fail(conf->arena);
	return conf_result(conf, before);
}

int
conf_read_text(struct conf *conf, const char *name, struct span text)
{
	size_t before = conf->errors.n;
	const char *kept = arena_cstr(conf->arena, span_of(name));
	const struct conf_source source = {.name = kept};
	struct conf_where where = {kept, 0, 0};

	if (text.len > CONF_FILE_SIZE_MAX)
		return conf_fail_code(conf, where, ERR_LIMIT,
		    "larger than %d bytes", CONF_FILE_SIZE_MAX);
	struct span copy = arena_span(conf->arena, text);
	if (kept && copy.p)
		conf_parse(conf, &source, copy);
	return conf_result(conf, before);
}
