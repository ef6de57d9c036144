/* Runs a fuzz target over files, or over all files of folders: replay PATH... */
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned replayed;

static void replay_file(const char *path, size_t len)
{
	FILE *file = fopen(path, "rb");
	check_msg(file != NULL, "%s: %s", path, strerror(errno));
	uint8_t *data = mem_new(len, 1); /* a block of its own, so that reading past its end is noticed */
	check_msg(fread(data, 1, len, file) == len, "%s: cannot be read", path);
	(void)fclose(file);
	(void)printf("%s\n", path); /* before, so that the last line names the file that stopped the program */
	(void)fflush(stdout);
	(void)LLVMFuzzerTestOneInput(data, len);
	mem_free(data);
	replayed++;
}

static void replay(const char *path)
{
	struct stat info;
	check_msg(stat(path, &info) == 0, "%s: %s", path, strerror(errno));
	if (S_ISREG(info.st_mode))
		replay_file(path, (size_t)info.st_size);
	if (!S_ISDIR(info.st_mode))
		return;
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char below[PATH_MAX];
		(void)snprintf(below, sizeof(below), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			replay(below);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	(void)printf("%u inputs\n", replayed);
	return replayed > 0 ? 0 : 1;
}
