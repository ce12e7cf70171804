#include "filter/store/store_queue.h"

#include <assert.h>
#include <stdlib.h>

#include "filter/base/clock.h"

/*
 * The write-behind queue: a list of groups, each one block of memory with its
 * writes, keys and values. Adding is a pointer under the lock; the copying was
 * done before. The batch's groups keep their place at the front, so what the
 * server did not take is simply taken again.
 */

struct queue_group {
	struct queue_group *next;
	size_t bytes; /* of this block */
	size_t n;
	char *room; /* free bytes at the end */
	struct store_write writes[];
};

void
queue_init(struct store_queue *queue, size_t bytes_max)
{
	*queue = (struct store_queue){.bytes_max = bytes_max};
	lock_init(&queue->lock, LOCK_QUEUE);
	lock_cond_init(&queue->wake);
	lock_cond_init(&queue->done);
}

void
queue_done(struct store_queue *queue)
{
	queue_drop(queue);
	free(queue->batch);
	lock_cond_done(&queue->done);
	lock_cond_done(&queue->wake);
	lock_done(&queue->lock);
}

/* --- adding -------------------------------------------------------------------- */

struct queue_group *
queue_group_new(size_t n, size_t bytes)
{
	size_t size;

	if (__builtin_mul_overflow(n, sizeof(struct store_write), &size) ||
	    __builtin_add_overflow(size, bytes, &size) ||
	    __builtin_add_overflow(size, sizeof(struct queue_group), &size))
		return NULL;
	struct queue_group *group = malloc(size);
	if (!group)
		return NULL;
	*group = (struct queue_group){.bytes = size, .n = n};
	group->room = (char *)&group->writes[n];
	return group;
}

struct store_write *
queue_group_writes(struct queue_group *group)
{
	return group->writes;
}

char *
queue_group_room(struct queue_group *group, size_t len)
{
	char *p = group->room;

	group->room += len;
	assert(group->room <= (char *)group + group->bytes);
	return p;
}

void
queue_put(struct store_queue *queue, struct queue_group *group)
{
	lock_take(&queue->lock);
	bool fits = group->bytes <= queue->bytes_max &&
		    queue->bytes <= queue->bytes_max - group->bytes;
	if (fits) {
		size_t before = queue->n;
		if (queue->last)
			queue->last->next = group;
		else
			queue->first = group;
		queue->last = group;
		queue->bytes += group->bytes;
		queue->n += group->n;
		queue->put++;
		if (before < QUEUE_BATCH && queue->n >= QUEUE_BATCH)
			lock_signal(&queue->wake);
	} else {
		queue->dropped += group->n;
	}
	lock_drop(&queue->lock);
	if (!fits)
		free(group);
}

void
queue_count_dropped(struct store_queue *queue, size_t n)
{
	lock_take(&queue->lock);
	queue->dropped += n;
	lock_drop(&queue->lock);
}

/* --- the writer ---------------------------------------------------------------- */

enum queue_event
queue_wait(struct store_queue *queue, bool patient, int64_t deadline)
{
	enum queue_event event = QUEUE_TIME;

	lock_take(&queue->lock);
	for (;;) {
		if (queue->stop)
			event = QUEUE_STOP;
		else if (queue->hurry || (!patient && queue->n >= QUEUE_BATCH))
			event = QUEUE_WORK;
		if (event != QUEUE_TIME ||
		    !lock_wait(&queue->wake, &queue->lock, deadline))
			break;
	}
	queue->hurry = false;
	lock_drop(&queue->lock);
	return event;
}

/* Looks how many whole groups from the front make a batch. */
static void
measure_batch(struct store_queue *queue)
{
	size_t n = 0, groups = 0;

	lock_take(&queue->lock);
	for (const struct queue_group *g = queue->first;
	     g && (groups == 0 || n + g->n <= QUEUE_BATCH); g = g->next) {
		n += g->n;
		groups++;
	}
	lock_drop(&queue->lock);
	queue->batch_n = n;
	queue->batch_groups = groups;
}

size_t
queue_batch(struct store_queue *queue, const struct store_write **ret_writes)
{
	measure_batch(queue);
	if (queue->batch_n > queue->batch_size) {
		struct store_write *p =
		    realloc(queue->batch, queue->batch_n * sizeof *p);
		if (!p)
			return 0;
		queue->batch = p;
		queue->batch_size = queue->batch_n;
	}
	lock_take(&queue->lock);
	const struct queue_group *g = queue->first;
	size_t n = 0;
	for (size_t i = 0; i < queue->batch_groups; i++, g = g->next) {
		memcpy(queue->batch + n, g->writes, g->n * sizeof *g->writes);
		n += g->n;
	}
	lock_drop(&queue->lock);
	*ret_writes = queue->batch;
	return n;
}

/* Takes `groups` from the front; returns them as a list. Under the lock. */
static struct queue_group *
cut_front(struct store_queue *queue, size_t groups, size_t *ret_n)
{
	struct queue_group *first = queue->first, *last = NULL;
	size_t n = 0;

	for (size_t i = 0; i < groups; i++) {
		last = queue->first;
		queue->first = last->next;
		queue->bytes -= last->bytes;
		n += last->n;
	}
	if (!queue->first)
		queue->last = NULL;
	queue->n -= n;
	queue->gone += groups;
	*ret_n = n;
	if (!last)
		return NULL;
	last->next = NULL;
	return first;
}

static void
free_groups(struct queue_group *group)
{
	while (group) {
		struct queue_group *next = group->next;
		free(group);
		group = next;
	}
}

static void
remove_front(struct store_queue *queue, size_t groups, bool written)
{
	size_t n;

	lock_take(&queue->lock);
	struct queue_group *list = cut_front(queue, groups, &n);
	if (!written) {
		queue->dropped += n;
		queue->lost += n;
	}
	lock_broadcast(&queue->done);
	lock_drop(&queue->lock);
	free_groups(list);
}

void
queue_release(struct store_queue *queue, bool written)
{
	remove_front(queue, queue->batch_groups, written);
	queue->batch_n = queue->batch_groups = 0;
}

void
queue_drop(struct store_queue *queue)
{
	lock_take(&queue->lock);
	size_t groups = (size_t)(queue->put - queue->gone);
	lock_drop(&queue->lock);
	remove_front(queue, groups, false);
}

void
queue_stop(struct store_queue *queue)
{
	lock_take(&queue->lock);
	queue->stop = true;
	lock_signal(&queue->wake);
	lock_drop(&queue->lock);
}

/* --- waiting and looking --------------------------------------------------------- */

int
queue_flush(struct store_queue *queue, int64_t deadline)
{
	bool in_time = true;

	lock_take(&queue->lock);
	uint64_t put = queue->put, lost = queue->lost;
	if (queue->gone < put) {
		queue->hurry = true;
		lock_signal(&queue->wake);
	}
	while (queue->gone < put && in_time)
		in_time = lock_wait(&queue->done, &queue->lock, deadline);
	int rc = queue->gone < put ? ERR_TIMEOUT : 0;
	if (rc == 0 && queue->lost > lost)
		rc = ERR_IO;
	lock_drop(&queue->lock);
	return rc;
}

void
queue_numbers(
    struct store_queue *queue, size_t *ret_bytes, uint64_t *ret_dropped)
{
	lock_take(&queue->lock);
	*ret_bytes = queue->bytes;
	*ret_dropped = queue->dropped;
	lock_drop(&queue->lock);
}
