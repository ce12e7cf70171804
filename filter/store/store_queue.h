#ifndef FILTER_STORE_STORE_QUEUE_H
#define FILTER_STORE_STORE_QUEUE_H

#include "filter/base/lock.h"
#include "filter/store/backend.h"

/*
 * What waits to be written: groups of writes, each carried out whole, in
 * order, bounded by bytes. Many threads add; one, the writer, takes batches
 * from the front, which stay in the queue (and count) until it says how they
 * went.
 */
struct store_queue {
	struct lock lock;
	struct lock_cond wake; /* the writer */
	struct lock_cond done; /* who waits in queue_flush() */
	/* Under the lock: */
	struct queue_group *first, *last;
	size_t bytes, bytes_max;
	size_t n;           /* writes in it */
	uint64_t put, gone; /* groups added; written or dropped */
	uint64_t dropped;   /* writes lost */
	uint64_t lost;      /* of them those that had been accepted */
	bool stop, hurry;
	/* The writer's own: the batch. */
	struct store_write *batch;
	size_t batch_n, batch_size, batch_groups;
};

/* More are taken in one batch only when one group has more. */
#define QUEUE_BATCH 512

void queue_init(struct store_queue *queue, size_t bytes_max);
void queue_done(struct store_queue *queue);

/* A group of `n` writes with room for `bytes` of keys and values. NULL. */
struct queue_group *queue_group_new(size_t n, size_t bytes);
struct store_write *queue_group_writes(struct queue_group *group);
/* Room for the next `len` bytes. */
char *queue_group_room(struct queue_group *group, size_t len);
/* Adds it, or frees it and counts its writes as dropped. */
void queue_put(struct store_queue *queue, struct queue_group *group);
void queue_count_dropped(struct store_queue *queue, size_t n);

/* --- the writer ------------------------------------------------------------ */

enum queue_event { QUEUE_TIME, QUEUE_WORK, QUEUE_STOP };

/*
 * Waits until `deadline`, or until somebody flushes, or unless `patient` until
 * QUEUE_BATCH writes wait.
 */
enum queue_event queue_wait(
    struct store_queue *queue, bool patient, int64_t deadline);
/* The next batch; 0 when the queue is empty or memory is short. The writes
 * live until queue_release(). */
size_t queue_batch(
    struct store_queue *queue, const struct store_write **ret_writes);
/* Ends the batch, as written or as lost. Without it the next queue_batch()
 * begins with the same. */
void queue_release(struct store_queue *queue, bool written);
/* Drops all that is left. */
void queue_drop(struct store_queue *queue);
/* Ends the writer's wait for good. */
void queue_stop(struct store_queue *queue);

/* Waits until what is in it now has gone. ERR_TIMEOUT; ERR_IO: some was lost. */
int queue_flush(struct store_queue *queue, int64_t deadline) MUST_USE;
void queue_numbers(
    struct store_queue *queue, size_t *ret_bytes, uint64_t *ret_dropped);

#endif
