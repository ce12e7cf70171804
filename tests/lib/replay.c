/*
 * The main program of a fuzz target in an ordinary build: runs the target on
 * each file named, or on each file of the folder tests/fuzz/seeds/NAME, and
 * on every prefix of the short ones. Prints TAP.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count;

static void
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;

	if (!f || fstat(fileno(f), &st) || !S_ISREG(st.st_mode)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	size_t size = (size_t)st.st_size;
	uint8_t *data = malloc(size + 1);
	if (!data || fread(data, 1, size, f) != size)
		exit(1);
	fclose(f);
	/* A copy of the exact size lets ASan see a read past the end. */
	size_t step = size <= 2000 ? 1 : size / 200 + 1;
	for (size_t n = size % step; n <= size; n += step) {
		uint8_t *exact = malloc(n ? n : 1);
		if (!exact)
			exit(1);
		memcpy(exact, data, n);
		LLVMFuzzerTestOneInput(exact, n);
		free(exact);
	}
	free(data);
	printf("ok %u - %s\n", ++count, path);
	fflush(stdout);
}

static void
run_folder(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char file[8192];
		if (names[i]->d_name[0] != '.') {
			snprintf(
			    file, sizeof file, "%s/%s", path, names[i]->d_name);
			run_file(file);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	char folder[4096];

	name = name ? name + 1 : argv[0];
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	snprintf(folder, sizeof folder, "%s/tests/fuzz/seeds/%s", ASSAY_SRCDIR,
	    name);
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc == 1)
		run_folder(folder);
	printf("1..%u\n", count);
	return count ? 0 : 1;
}
