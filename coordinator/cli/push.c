#include "coordinator/cli/push.h"
#include "common/base/mem.h"
#include "common/io/fs.h"
#include <errno.h>
#include <string.h>

enum { SUITE_YAML_BYTES_MAX = 16 << 20, BUNDLE_BYTES_MAX = 256 << 20, CHUNK_BYTES = 1 << 18 };

struct folder {
	struct fs_path path; /* of the suite file's folder */
};

static struct folder folder_of(const char *path)
{
	struct folder f = { .path = fs_path("%s", path) };
	char *slash = strrchr(f.path.text, '/');
	if (slash)
		*slash = '\0';
	else
		f.path = fs_path(".");
	return f;
}

static enum err_code read_chunks(void *arg, struct str name, suite_sink *sink, void *sink_arg, struct error *reterr)
{
	const struct folder *f = arg;
	struct fs_path path = str_starts(name, STR("/")) ? fs_path("%.*s", STR_ARG(name))
	                                                 : fs_path("%s/%.*s", f->path.text, STR_ARG(name));
	FILE *file = fopen(path.text, "rbe");
	if (!file)
		return error_set(reterr, errno == ENOENT ? ERR_NOT_FOUND : ERR_DENIED, "%s: %s", path.text,
		                 strerror(errno));
	char *chunk = mem_new(CHUNK_BYTES, 1);
	enum err_code err = ERR_OK;
	size_t len;
	while (err == ERR_OK && (len = fread(chunk, 1, CHUNK_BYTES, file)) > 0)
		err = sink(sink_arg, (struct str){ chunk, len }, reterr);
	if (err == ERR_OK && ferror(file))
		err = error_set(reterr, ERR_IO, "%s: %s", path.text, strerror(errno));
	mem_free(chunk);
	(void)fclose(file); /* only read */
	return err;
}

/* A file that is too large, not there or not ours to read is a wrong file, whichever way. */
static enum err_code as_invalid(enum err_code err, struct error *reterr)
{
	if (err != ERR_LIMIT && err != ERR_NOT_FOUND && err != ERR_DENIED)
		return err;
	if (reterr)
		reterr->code = ERR_INVALID;
	return ERR_INVALID;
}

enum err_code push_read_file(const char *path, struct buf *out, struct error *reterr)
{
	return as_invalid(fs_read(path, out, reterr), reterr);
}

static enum err_code read_yaml(const char *path, struct buf *out, struct error *reterr)
{
	buf_init(out, SUITE_YAML_BYTES_MAX);
	return push_read_file(path, out, reterr);
}

enum err_code push_read(const char *path, struct suite **ret_suite, struct error *reterr)
{
	struct buf yaml;
	struct folder folder = folder_of(path);
	struct suite_source source = { .read = read_chunks, .arg = &folder };
	enum err_code err = read_yaml(path, &yaml, reterr);
	if (err == ERR_OK)
		err = suite_read(buf_str(&yaml), path, &source, ret_suite, reterr);
	buf_done(&yaml);
	return as_invalid(err, reterr);
}

static enum err_code to_buf(void *arg, struct str chunk, struct error *reterr)
{
	return buf_append_str(arg, chunk) ? ERR_OK
	                                  : error_set(reterr, ERR_LIMIT, "the suite's files are over 256 MiB together");
}

static enum err_code add_file(struct buf *bundle, struct str name, struct str content, struct error *reterr)
{
	if (buf_printf(bundle, "file %zu %.*s\n", content.len, STR_ARG(name)) && buf_append_str(bundle, content))
		return ERR_OK;
	return error_set(reterr, ERR_LIMIT, "the suite's files are over 256 MiB together");
}

static enum err_code make_bundle(const char *path, struct buf *bundle, struct error *reterr)
{
	struct buf yaml, content;
	struct arena arena;
	struct str *names = NULL;
	size_t count = 0;
	struct folder folder = folder_of(path);
	const char *slash = strrchr(path, '/');
	arena_init(&arena, 16 << 20);
	enum err_code err = read_yaml(path, &yaml, reterr);
	if (err == ERR_OK)
		err = suite_files(buf_str(&yaml), path, &arena, &names, &count, reterr);
	if (err == ERR_OK)
		err = add_file(bundle, str_from(slash ? slash + 1 : path), buf_str(&yaml), reterr);
	for (size_t i = 0; err == ERR_OK && i < count; i++) {
		buf_init(&content, BUNDLE_BYTES_MAX);
		err = read_chunks(&folder, names[i], to_buf, &content, reterr);
		if (err == ERR_OK)
			err = add_file(bundle, names[i], buf_str(&content), reterr);
		buf_done(&content);
	}
	arena_done(&arena);
	buf_done(&yaml);
	return err;
}

enum err_code push_suite(struct api *a, const char *path, char ret_name[PUSH_NAME_BYTES], struct api_answer *ret_answer,
                         struct error *reterr)
{
	struct suite *suite = NULL;
	struct buf bundle;
	struct api_answer answer;
	buf_init(&bundle, BUNDLE_BYTES_MAX);
	enum err_code err = push_read(path, &suite, reterr); /* errors here name the files as the user knows them */
	if (err == ERR_OK)
		err = make_bundle(path, &bundle, reterr);
	struct api_call call = { .method = "POST",
		                 .path = "/api/v1/suites",
		                 .body = buf_str(&bundle),
		                 .type = "application/vnd.assay.bundle",
		                 .timeout_ms = 600000 };
	if (err == ERR_OK)
		err = api_send(a, &call, &answer, reterr);
	if (err == ERR_OK) {
		const struct json *root = json_root(answer.doc);
		(void)snprintf(ret_name, PUSH_NAME_BYTES, "%.*s@%lld",
		               STR_ARG(json_str_or(json_get(root, "name"), STR("?"))),
		               (long long)json_i64_or(json_get(root, "version"), 0));
		if (ret_answer)
			*ret_answer = answer;
		else
			api_answer_done(&answer);
	}
	suite_free(suite);
	buf_done(&bundle);
	return err;
}
