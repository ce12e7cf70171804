/*
 * The look at an embedded store's data file before LMDB maps it: any file gets
 * a clear answer, in time that its size bounds.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "filter/store/store_lmdb_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		return 0;
	if (write(fd, data, size) == (ssize_t)size) {
		int rc = lmdb_file_check(fd, "data.mdb", &err);
		if (rc != 0 && rc != ERR_INVALID)
			__builtin_trap();
		if (rc != 0 && err.text[0] == '\0')
			__builtin_trap();
	}
	close(fd);
	return 0;
}
