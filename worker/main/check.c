#include "worker/main/check.h"
#include "common/io/fs.h"
#include "worker/main/check_gsm8k.h"
#include <stdio.h>

enum { FILE_BYTES_MAX = 256 << 20, WHY_BYTES_MAX = 2000 };

struct check_method {
	const char *name;
	check_case *run;
};

/* One row a metric; ends with a row without a name. */
static const struct check_method methods[] = {
	{ "gsm8k_extract", check_gsm8k },
	{ NULL, NULL },
};

struct tally {
	uint64_t passed, failed;
};

check_case *check_find(struct str method)
{
	for (const struct check_method *m = methods; m->name; m++)
		if (str_eq_c(method, m->name))
			return m->run;
	return NULL;
}

static void check_one(const char *file, const struct json *root, const struct json *c, check_case *run, struct tally *t)
{
	struct buf why;
	struct str id = json_str_or(json_get(c, "id"), STR("?"));
	struct str method = json_str_or(json_get(root, "method"), STR("?"));
	buf_init(&why, WHY_BYTES_MAX);
	bool passed = run && run(json_get(c, "input"), json_get(c, "expected"), json_get(root, "tolerance"), &why);
	if (passed)
		t->passed++;
	else
		t->failed++;
	if (!run)
		printf("%s: %.*s: no scorer of this worker computes '%.*s'\n", file, STR_ARG(id), STR_ARG(method));
	else if (!passed)
		printf("%s: %.*s: %.*s\n", file, STR_ARG(id), STR_ARG(buf_str(&why)));
	buf_done(&why);
}

static enum err_code check_file(const char *file, struct tally *t, struct error *reterr)
{
	struct buf text;
	struct json_doc *doc;
	buf_init(&text, FILE_BYTES_MAX);
	enum err_code err = fs_read(file, &text, reterr);
	if (!err)
		err = json_parse(buf_str(&text), &doc, reterr);
	buf_done(&text);
	if (err)
		return error_wrap(reterr, err, "%s", file);
	const struct json *root = json_root(doc), *cases = json_get(root, "cases");
	check_case *run = check_find(json_str_or(json_get(root, "method"), STR("")));
	for (size_t i = 0; i < json_len(cases); i++)
		check_one(file, root, json_at(cases, i), run, t);
	json_free(doc);
	return ERR_OK;
}

int check_files(const char *const *files, size_t count)
{
	struct tally t = { 0, 0 };
	struct error error;
	bool unreadable = false;
	for (size_t i = 0; i < count; i++)
		if (check_file(files[i], &t, &error)) {
			unreadable = true;
			fprintf(stderr, "assay-worker: %s\n", error.text);
		}
	printf("%llu cases, %llu passed, %llu failed\n", (unsigned long long)t.passed + t.failed,
	       (unsigned long long)t.passed, (unsigned long long)t.failed);
	if (unreadable)
		return 2;
	return t.failed == 0 && t.passed > 0 ? 0 : 1;
}
