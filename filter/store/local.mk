noinst_LIBRARIES += filter/store/libstore.a
filter_store_libstore_a_CPPFLAGS = $(AM_CPPFLAGS) $(HIREDIS_CFLAGS) \
	$(LMDB_CFLAGS)
filter_store_libstore_a_SOURCES = \
	filter/store/backend.h \
	filter/store/store.c filter/store/store.h \
	filter/store/store_call.c \
	filter/store/store_breaker.c filter/store/store_breaker.h \
	filter/store/store_cache.c filter/store/store_cache.h \
	filter/store/store_internal.h \
	filter/store/store_key.c filter/store/store_key.h \
	filter/store/store_lmdb.c filter/store/store_lmdb.h \
	filter/store/store_lmdb_file.c filter/store/store_lmdb_file.h \
	filter/store/store_lmdb_pages.c \
	filter/store/store_lmdb_write.c \
	filter/store/store_mem.c \
	filter/store/store_queue.c filter/store/store_queue.h \
	filter/store/store_seen.c \
	filter/store/store_seen.h \
	filter/store/store_thread.c \
	filter/store/store_redis.c \
	filter/store/store_redis.h \
	filter/store/store_redis_apply.c \
	filter/store/store_redis_conn.c \
	filter/store/store_redis_each.c \
	filter/store/store_redis_name.c \
	filter/store/store_redis_pool.c \
	filter/store/store_redis_reply.c \
	filter/store/store_url.c \
	filter/store/store_url.h
EXTRA_DIST += filter/store/README
