#include "coordinator/cli/postgres.h"
#include "common/base/mem.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
	SOCKET_FOLDER_BYTES_MAX = 107 - 17, /* "/.s.PGSQL.5432" and the lock file's ".lock" must fit */
	VERSION_MIN = 15,
	INITDB_MS = 120000,
	COMMAND_MS = 30000,
	OUTPUT_BYTES_MAX = 64 << 10,
};

#define ACCOUNT "assay"

/* All that its programs get of an environment: nobody's PGPORT or PGSERVICE steers them, and no key of a provider. */
static const char *const bare_environment[] = { "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

/* The newest server under Debian's folder, else the one on PATH. */
static enum err_code find_bin(struct fs_path *ret_bin, struct error *reterr)
{
	struct arena names_arena;
	struct str *names = NULL;
	size_t count = 0;
	int64_t best = 0;
	arena_init(&names_arena, 1 << 20);
	if (fs_list("/usr/lib/postgresql", &names_arena, &names, &count, NULL) == ERR_OK)
		for (size_t i = 0; i < count; i++) {
			int64_t version;
			if (!str_to_i64(names[i], &version) || version < VERSION_MIN || version <= best)
				continue;
			struct fs_path bin = fs_path("/usr/lib/postgresql/%lld/bin", (long long)version);
			if (!fs_exists(fs_path("%s/postgres", bin.text).text))
				continue;
			best = version;
			*ret_bin = bin;
		}
	arena_done(&names_arena);
	if (best)
		return ERR_OK;
	struct fs_path program;
	if (!process_find("postgres", &program) || !process_find("initdb", ret_bin))
		return error_set(reterr, ERR_NOT_FOUND,
		                 "no PostgreSQL server of version %d or later is installed "
		                 "(apt-get install postgresql-15)",
		                 VERSION_MIN);
	*strrchr(ret_bin->text, '/') = '\0';
	return ERR_OK;
}

static enum err_code find_places(const struct home *h, struct postgres *pg, struct error *reterr)
{
	uid_t uid = getuid();
	if (uid == 0) {
		pg->drop_user = true;
		pg->data = fs_path("/var/lib/assay/%s", h->id);
		pg->sockets = fs_path("/run/assay-0/%s", h->id);
		return ERR_OK;
	}
	pg->data = home_path(h, "pg");
	pg->sockets = home_path(h, "run");
	if (strlen(pg->sockets.text) > SOCKET_FOLDER_BYTES_MAX)
		pg->sockets = fs_path("/tmp/assay-%u/%s", (unsigned)uid, h->id);
	return pg->data.text[0] ? ERR_OK : error_set(reterr, ERR_INVALID, "the path of ASSAY_HOME is too long");
}

enum err_code postgres_find(const struct home *h, struct postgres *ret_pg, struct error *reterr)
{
	*ret_pg = (struct postgres){ 0 };
	enum err_code err = find_bin(&ret_pg->bin, reterr);
	if (err == ERR_OK)
		err = find_places(h, ret_pg, reterr);
	if (err != ERR_OK)
		return err;
	if (ret_pg->drop_user)
		(void)process_user(ACCOUNT, &ret_pg->uid, &ret_pg->gid); /* may not exist before postgres_prepare() */
	int len = snprintf(ret_pg->dsn, sizeof(ret_pg->dsn), "host=%s port=5432 user=" ACCOUNT " dbname=assay",
	                   ret_pg->sockets.text);
	if (len < 0 || (size_t)len >= sizeof(ret_pg->dsn))
		return error_set(reterr, ERR_INVALID, "the path of ASSAY_HOME is too long");
	return ERR_OK;
}

/* Runs one of PostgreSQL's programs (or useradd) to its end; its own words go into the error. */
static enum err_code run(const struct postgres *pg, bool as_account, const char *const *argv, int timeout_ms,
                         struct error *reterr)
{
	struct process_spec spec = { .argv = argv, .env_clear = true, .env_set = bare_environment, .cwd = "/" };
	if (as_account && pg->drop_user) {
		spec.drop_user = true;
		spec.uid = pg->uid;
		spec.gid = pg->gid;
	}
	struct process_result result;
	enum err_code err = process_run(&spec, (struct str){ 0 }, timeout_ms, OUTPUT_BYTES_MAX, &result, reterr);
	if (err != ERR_OK)
		return error_wrap(reterr, err, "%s", argv[0]);
	if (!process_ok(result.status)) {
		struct str words = str_trim(buf_str(result.err.len ? &result.err : &result.out));
		char status[48];
		process_status_text(result.status, status);
		err = error_set(reterr, ERR_IO, "%s: %s: %.*s", argv[0], status, (int)MIN_OF(words.len, (size_t)700),
		                words.data);
	}
	process_result_done(&result);
	return err;
}

static enum err_code make_account(struct postgres *pg, struct error *reterr)
{
	if (!pg->drop_user || process_user(ACCOUNT, &pg->uid, &pg->gid))
		return ERR_OK;
	static const char *const argv[] = { "/usr/sbin/useradd",
		                            "--system",
		                            "--user-group",
		                            "--no-create-home",
		                            "--home-dir",
		                            "/var/lib/assay",
		                            "--shell",
		                            "/usr/sbin/nologin",
		                            ACCOUNT,
		                            NULL };
	enum err_code err = run(pg, false, argv, COMMAND_MS, reterr);
	if (err == ERR_OK && !process_user(ACCOUNT, &pg->uid, &pg->gid))
		err = error_set(reterr, ERR_IO, "the system account '" ACCOUNT "' was made but is not known");
	return err;
}

/* A folder of our own: parents readable by all when root, the last one 0700 and the account's. */
static enum err_code make_folder(const struct postgres *pg, struct fs_path path, struct error *reterr)
{
	enum err_code err = ERR_OK;
	if (pg->drop_user) {
		struct fs_path parent = path;
		*strrchr(parent.text, '/') = '\0';
		err = fs_make_dirs(parent.text, 0755, reterr);
	}
	if (err == ERR_OK)
		err = fs_make_dirs(path.text, 0700, reterr);
	if (err == ERR_OK)
		err = fs_set_mode(path.text, 0700, reterr);
	if (err == ERR_OK && pg->drop_user)
		err = fs_set_owner(path.text, pg->uid, pg->gid, reterr);
	struct fs_info info;
	if (err == ERR_OK)
		err = fs_info(path.text, &info, reterr);
	if (err == ERR_OK && (!info.is_dir || info.uid != (pg->drop_user ? pg->uid : getuid())))
		err = error_set(reterr, ERR_DENIED, "%s belongs to somebody else", path.text);
	return err;
}

enum err_code postgres_prepare(struct postgres *pg, struct error *reterr)
{
	enum err_code err = make_account(pg, reterr);
	if (err == ERR_OK)
		err = make_folder(pg, pg->data, reterr);
	if (err == ERR_OK)
		err = make_folder(pg, pg->sockets, reterr);
	if (err != ERR_OK || fs_exists(fs_path("%s/assay-complete", pg->data.text).text))
		return err;
	/* An initdb that was cut short leaves no mark: what it left is thrown away, it can hold nothing of anybody's.
	 */
	struct fs_path cluster = fs_path("%s/cluster", pg->data.text);
	err = fs_remove_tree(cluster.text, reterr);
	if (err != ERR_OK)
		return err;
	struct fs_path initdb = fs_path("%s/initdb", pg->bin.text);
	const char *argv[] = { initdb.text,
		               "-D",
		               cluster.text,
		               "-U",
		               ACCOUNT,
		               "--auth-local=trust",
		               "--auth-host=reject",
		               "--encoding=UTF8",
		               "--locale=C.UTF-8",
		               "--data-checksums",
		               NULL };
	err = run(pg, true, argv, INITDB_MS, reterr);
	if (err == ERR_OK)
		err = fs_write_atomic(fs_path("%s/assay-complete", pg->data.text).text, STR("initdb ran to its end\n"),
		                      0600, reterr);
	return err;
}

/* The process that a pid file names; 0 when there is no file or no number in it. */
static pid_t named_in(const char *path, struct buf *ret_text)
{
	struct str rest, line;
	int64_t pid = 0;
	buf_clear(ret_text);
	if (fs_read(path, ret_text, NULL) != ERR_OK)
		return 0;
	rest = buf_str(ret_text);
	return str_split(&rest, '\n', &line) && str_to_i64(str_trim(line), &pid) && pid > 1 && pid <= INT32_MAX
	               ? (pid_t)pid
	               : 0;
}

/* The number may have been given to another process since: only one whose command line names these data is ours. */
static bool is_server(const struct postgres *pg, pid_t pid)
{
	struct fs_path cluster = fs_path("%s/cluster", pg->data.text);
	struct buf text;
	buf_init(&text, 64 << 10);
	bool ours = fs_read(fs_path("/proc/%d/cmdline", pid).text, &text, NULL) == ERR_OK &&
	            str_find(buf_str(&text), str_from(cluster.text)) >= 0;
	buf_done(&text);
	return ours;
}

/* After a power cut, or in a container that was started anew, the number in a pid file may be anybody's, and PostgreSQL
 * then refuses to start for as long as that process lives. It never believes its own parent's number, so that is put
 * in; the other lines stay, by which it finds out whether something still uses its memory. */
static void disown(const struct postgres *pg, const char *path)
{
	struct buf old, text;
	buf_init(&old, 4096);
	buf_init(&text, 4200);
	pid_t pid = named_in(path, &old);
	if (pid && !is_server(pg, pid) && buf_printf(&text, "%d", (int)getpid())) {
		struct str all = buf_str(&old);
		(void)buf_append_str(&text, str_slice(all, (size_t)str_find(all, STR("\n")), all.len)); /* it fits */
		IGNORE(fs_write_atomic(path, buf_str(&text), 0644, NULL)); /* else PostgreSQL says what is wrong */
	}
	buf_done(&old);
	buf_done(&text);
}

enum err_code postgres_start(const struct postgres *pg, const char *log_path, struct process **ret_process,
                             struct error *reterr)
{
	struct fs_path program = fs_path("%s/postgres", pg->bin.text), cluster = fs_path("%s/cluster", pg->data.text);
	struct fs_path sockets = fs_path("unix_socket_directories=%s", pg->sockets.text);
	const char *argv[] = { program.text,
		               "-D",
		               cluster.text,
		               "-c",
		               "listen_addresses=",
		               "-c",
		               sockets.text,
		               "-c",
		               "unix_socket_permissions=0700",
		               "-c",
		               "max_connections=60",
		               "-c",
		               "shared_buffers=128MB",
		               "-c",
		               "max_wal_size=2GB",
		               "-c",
		               "wal_compression=lz4",
		               "-c",
		               "log_checkpoints=off",
		               "-c",
		               "log_min_messages=warning",
		               "-c",
		               "default_toast_compression=lz4",
		               NULL };
	struct process_spec spec = { .argv = argv,
		                     .env_clear = true,
		                     .env_set = bare_environment,
		                     .cwd = "/",
		                     .stdout_to = PROCESS_OUTPUT_FILE,
		                     .stdout_path = log_path,
		                     .stderr_to = PROCESS_OUTPUT_STDOUT,
		                     .drop_user = pg->drop_user,
		                     .uid = pg->uid,
		                     .gid = pg->gid,
		                     .new_session = true };
	disown(pg, fs_path("%s/postmaster.pid", cluster.text).text);
	disown(pg, fs_path("%s/.s.PGSQL.5432.lock", pg->sockets.text).text);
	return process_start(&spec, ret_process, reterr);
}

bool postgres_answers(const struct postgres *pg)
{
	struct fs_path program = fs_path("%s/pg_isready", pg->bin.text);
	const char *argv[] = { program.text, "-q", "-h", pg->sockets.text, "-U", ACCOUNT, "-d", "postgres", NULL };
	return run(pg, false, argv, COMMAND_MS, NULL) == ERR_OK;
}

enum err_code postgres_make_database(const struct postgres *pg, struct error *reterr)
{
	struct fs_path psql = fs_path("%s/psql", pg->bin.text);
	/* \gexec runs what the query gives: nothing when the database is there. */
	const char *argv[] = { psql.text, "-X", "-q",       "-h", pg->sockets.text,  "-U",
		               ACCOUNT,   "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-f",
		               "-",       NULL };
	struct process_spec spec = { .argv = argv, .env_clear = true, .env_set = bare_environment, .cwd = "/" };
	struct process_result result;
	enum err_code err = process_run(&spec,
	                                STR("SELECT 'CREATE DATABASE assay' WHERE NOT EXISTS "
	                                    "(SELECT FROM pg_database WHERE datname = 'assay') \\gexec\n"),
	                                COMMAND_MS, OUTPUT_BYTES_MAX, &result, reterr);
	if (err != ERR_OK)
		return error_wrap(reterr, err, "psql");
	if (!process_ok(result.status)) {
		struct str words = str_trim(buf_str(&result.err));
		err = error_set(reterr, ERR_IO, "making the database: %.*s", (int)MIN_OF(words.len, (size_t)700),
		                words.data);
	}
	process_result_done(&result);
	return err;
}

enum err_code postgres_running(const struct postgres *pg, struct process_id *ret_id, struct error *reterr)
{
	struct buf text;
	buf_init(&text, 4096);
	pid_t pid = named_in(fs_path("%s/cluster/postmaster.pid", pg->data.text).text, &text);
	buf_done(&text);
	if (!pid)
		return error_set(reterr, ERR_NOT_FOUND, "postmaster.pid names no process");
	if (!is_server(pg, pid))
		return error_set(reterr, ERR_NOT_FOUND, "process %d is not this database", (int)pid);
	return process_id_of(pid, ret_id, reterr);
}
