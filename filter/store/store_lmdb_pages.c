#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/store/store_lmdb_file.h"

/*
 * Is an LMDB data file whole? A file that reaches to the last page its meta
 * page speaks of is. A shorter one may be: pages at the end that a
 * transaction took and gave back are never written. Then the trees are walked,
 * page by page, looking only at where they point; that takes a while, but is
 * rare.
 *
 * The structures are those of LMDB 0.9's file format 1, in the machine's own
 * sizes and byte order, as the library writes them.
 */

#define FILE_MAGIC 0xBEEFC0DEu
#define FILE_VERSION 1u
#define PAGE_MIN 512
#define PAGE_MAX_BYTES 65536
#define NO_PAGE SIZE_MAX
#define DEPTH_MAX 32
#define IS_BRANCH 0x01u
#define IS_LEAF 0x02u
#define IS_OVERFLOW 0x04u
#define BIG_DATA 0x01u /* flag of a node: its data is in overflow pages */

struct page_head {
	size_t number;
	uint16_t pad, flags;
	uint16_t lower, upper; /* together the count of overflow pages */
};

struct tree {
	uint32_t pad; /* of the first tree: the page's size */
	uint16_t flags, depth;
	size_t branches, leaves, overflows, entries;
	size_t root;
};

struct meta {
	struct page_head head;
	uint32_t magic, version;
	void *address;
	size_t map_size;
	struct tree trees[2]; /* free pages, entries */
	size_t last_page;
	size_t number; /* of the transaction */
};

struct node {
	uint16_t low,
	    high;       /* branch: the page's lower bits; leaf: data's size */
	uint16_t flags; /* branch: the page's upper bits */
	uint16_t key_len;
};

/* A file under examination. */
struct pages {
	int fd;
	size_t page_size, n; /* whole pages in the file */
	size_t visited;
	char *room; /* DEPTH_MAX pages */
};

static bool
read_at(int fd, void *to, size_t size, size_t offset)
{
	ssize_t n;

	do
		n = pread(fd, to, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n >= 0 && (size_t)n == size;
}

/* --- the walk --------------------------------------------------------------------- */

static size_t
count_nodes(const char *page)
{
	struct page_head head;

	memcpy(&head, page, sizeof head);
	return head.lower < sizeof head ? 0 : (head.lower - sizeof head) / 2;
}

/* The i-th node of a page and where it stands; false when outside of it. */
static bool
get_node(const struct pages *pages, const char *page, size_t i,
    struct node *ret, size_t *ret_at)
{
	uint16_t at;

	if (sizeof(struct page_head) + 2 * (i + 1) > pages->page_size)
		return false;
	memcpy(&at, page + sizeof(struct page_head) + 2 * i, sizeof at);
	if (at + sizeof *ret > pages->page_size)
		return false;
	memcpy(ret, page + at, sizeof *ret);
	*ret_at = at;
	return true;
}

static size_t
child_of(const struct node *node)
{
	size_t child = (size_t)node->low | (size_t)node->high << 16;

#if SIZE_MAX > UINT32_MAX
	child |= (size_t)node->flags << 32;
#endif
	return child;
}

/* The overflow pages that a leaf's node points to are there. */
static bool
big_data_is_whole(const struct pages *pages, const char *page,
    const struct node *node, size_t at)
{
	struct page_head head;
	uint32_t count;
	size_t first, where = at + sizeof *node + node->key_len;

	if (!(node->flags & BIG_DATA))
		return true;
	if (where + sizeof first > pages->page_size)
		return false;
	memcpy(&first, page + where, sizeof first);
	if (first >= pages->n ||
	    !read_at(pages->fd, &head, sizeof head, first * pages->page_size) ||
	    !(head.flags & IS_OVERFLOW))
		return false;
	memcpy(&count, &head.lower, sizeof count);
	return count <= pages->n - first;
}

static bool
leaf_is_whole(const struct pages *pages, const char *page)
{
	struct node node;
	size_t n = count_nodes(page), at;

	for (size_t i = 0; i < n; i++)
		if (!get_node(pages, page, i, &node, &at) ||
		    !big_data_is_whole(pages, page, &node, at))
			return false;
	return true;
}

/* Loads a page of a tree; false when it is not there or none of a tree. */
static bool
load(struct pages *pages, size_t number, char *page, bool *ret_branch)
{
	struct page_head head;

	if (number >= pages->n || pages->visited++ > pages->n ||
	    !read_at(
		pages->fd, page, pages->page_size, number * pages->page_size))
		return false;
	memcpy(&head, page, sizeof head);
	*ret_branch = head.flags & IS_BRANCH;
	return head.number == number && (head.flags & (IS_BRANCH | IS_LEAF));
}

static bool
tree_is_whole(struct pages *pages, size_t root)
{
	size_t next[DEPTH_MAX] = {0}; /* the node to look at, on each level */
	size_t level = 0, number = root, at;
	struct node node;
	bool branch;

	if (root == NO_PAGE)
		return true;
	for (;;) {
		char *page = pages->room + level * pages->page_size;
		if (!load(pages, number, page, &branch))
			return false;
		if (!branch && !leaf_is_whole(pages, page))
			return false;
		if (branch && level + 1 == DEPTH_MAX)
			return false;
		if (branch)
			next[level++] = 0;
		/* Up, until a level has a page that was not looked at. */
		while (level && next[level - 1] ==
				    count_nodes(pages->room +
						(level - 1) * pages->page_size))
			level--;
		if (level == 0)
			return true;
		page = pages->room + (level - 1) * pages->page_size;
		if (!get_node(pages, page, next[level - 1]++, &node, &at))
			return false;
		number = child_of(&node);
	}
}

/* --- meta pages --------------------------------------------------------------------- */

static bool
meta_is_ours(const struct meta *meta)
{
	size_t size = meta->trees[0].pad;

	return meta->magic == FILE_MAGIC && meta->version == FILE_VERSION &&
	       size >= PAGE_MIN && size <= PAGE_MAX_BYTES &&
	       (size & (size - 1)) == 0;
}

static int
read_meta(int fd, const char *path, struct meta *ret, struct err *err)
{
	struct meta meta[2];

	if (!read_at(fd, &meta[0], sizeof meta[0], 0))
		return err_set(err, ERR_INVALID,
		    "%s: cut off or empty; it is left as it is", path);
	if (meta[0].magic != FILE_MAGIC)
		return err_set(err, ERR_INVALID,
		    "%s: not a file of LMDB; it is left as it is", path);
	if (!meta_is_ours(&meta[0]))
		return err_set(err, ERR_INVALID,
		    "%s: of another version of LMDB (%u); it is left as it is",
		    path, meta[0].version);
	if (!read_at(fd, &meta[1], sizeof meta[1], meta[0].trees[0].pad))
		return err_set(
		    err, ERR_INVALID, "%s: cut off; it is left as it is", path);
	if (!meta_is_ours(&meta[1]))
		return err_set(
		    err, ERR_INVALID, "%s: damaged; it is left as it is", path);
	*ret = meta[meta[1].number > meta[0].number];
	return 0;
}

static bool
walk(int fd, const struct meta *meta, size_t n)
{
	struct pages pages = {
	    .fd = fd, .page_size = meta->trees[0].pad, .n = n};
	bool whole;

	pages.room = malloc(DEPTH_MAX * pages.page_size);
	if (!pages.room)
		return false;
	whole = tree_is_whole(&pages, meta->trees[0].root) &&
		tree_is_whole(&pages, meta->trees[1].root);
	free(pages.room);
	return whole;
}

int
lmdb_file_check(int fd, const char *path, struct err *err)
{
	struct meta meta, later;
	struct stat st;
	int rc = read_meta(fd, path, &meta, err);

	if (rc)
		return rc;
	if (fstat(fd, &st) != 0)
		return err_set_errno(err, errno, "%s", path);
	size_t n = (size_t)st.st_size / meta.trees[0].pad;
	if (meta.last_page < n || walk(fd, &meta, n))
		return 0;
	/* Pages that change meanwhile have a writer, who knows them. */
	if (read_meta(fd, path, &later, NULL) == 0 &&
	    later.number != meta.number)
		return 0;
	return err_set(err, ERR_INVALID,
	    "%s: cut off: %zu of %zu pages are there; it is left as it is",
	    path, n, meta.last_page + 1);
}
