/* The words of config.h: value syntax, error texts, suggestions, help. */
#include "common/io/config_private.h"
#include <string.h>

/* Number and unit pairs, "1h30m": each unit smaller than the one before. */
struct unit {
	const char *name;
	int64_t size;
};

static const struct unit time_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }
};
static const struct unit size_units[] = { { "TiB", (int64_t)1 << 40 }, { "GiB", 1 << 30 },      { "MiB", 1 << 20 },
	                                  { "KiB", 1 << 10 },          { "TB", 1000000000000 }, { "GB", 1000000000 },
	                                  { "MB", 1000000 },           { "kB", 1000 },          { "B", 1 } };

/* A number with up to three fraction digits, as thousandths. */
static bool take_thousandths(struct str *s, int64_t *ret_value)
{
	size_t digits = 0, fraction = 0;
	int64_t value = 0;
	bool point = false;
	for (; s->len; *s = str_slice(*s, 1, s->len)) {
		char c = s->data[0];
		if (c == '.' && !point && digits) {
			point = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		if (point && ++fraction > 3)
			return false;
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, c - '0', &value))
			return false;
		digits++;
	}
	if (digits == 0 || (point && fraction == 0))
		return false;
	for (; fraction < 3; fraction++)
		if (__builtin_mul_overflow(value, 10, &value))
			return false;
	*ret_value = value;
	return true;
}

static const struct unit *take_unit(struct str *s, const struct unit *units, size_t count)
{
	size_t len = 0;
	while (len < s->len &&
	       ((s->data[len] >= 'a' && s->data[len] <= 'z') || (s->data[len] >= 'A' && s->data[len] <= 'Z')))
		len++;
	for (size_t i = 0; i < count; i++)
		if (str_eq_c(str_slice(*s, 0, len), units[i].name)) {
			*s = str_slice(*s, len, s->len);
			return &units[i];
		}
	return NULL;
}

static bool read_quantity(struct str text, const struct unit *units, size_t count, int64_t bare, bool several,
                          int64_t *ret_value)
{
	int64_t total = 0, last_size = INT64_MAX;
	struct str rest = text;
	do {
		int64_t thousandths, part;
		if (!take_thousandths(&rest, &thousandths))
			return false;
		const struct unit *unit = rest.len ? take_unit(&rest, units, count) : NULL;
		if (!unit && (rest.len || last_size != INT64_MAX))
			return false;
		int64_t size = unit ? unit->size : bare;
		if (size >= last_size || __builtin_mul_overflow(thousandths, size, &part) || part % 1000 ||
		    __builtin_add_overflow(total, part / 1000, &total))
			return false;
		last_size = size;
	} while (rest.len && several);
	if (rest.len)
		return false;
	*ret_value = total;
	return true;
}

bool config_read_ms(struct str text, int64_t *ret_ms)
{
	return read_quantity(text, time_units, ARRAY_LEN(time_units), 1000, true, ret_ms);
}

bool config_read_bytes(struct str text, int64_t *ret_bytes)
{
	return read_quantity(text, size_units, ARRAY_LEN(size_units), 1, false, ret_bytes);
}

bool config_read_bool(struct str text, bool *ret_value)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq_c(text, words[i])) {
			*ret_value = i % 2 == 1;
			return true;
		}
	return false;
}

const char *config_nearest(struct str typed, const char *const *names, size_t count)
{
	const char *best = NULL;
	unsigned best_distance = (unsigned)MAX_OF(typed.len / 3, (size_t)1) + 1;
	for (size_t i = 0; i < count; i++) {
		struct str name = str_from(names[i]);
		unsigned distance = str_distance(typed, name);
		if (typed.len >= 3 && str_starts(name, typed)) /* cut short: "resc" for "rescore" */
			distance = MIN_OF(distance, 1U);
		if (distance < best_distance) {
			best = names[i];
			best_distance = distance;
		}
	}
	return best;
}

void config_env_name(const struct config_flag *f, char out[CONFIG_ENV_NAME_BYTES])
{
	int len = f->env ? snprintf(out, CONFIG_ENV_NAME_BYTES, "%s", f->env)
	                 : snprintf(out, CONFIG_ENV_NAME_BYTES, "ASSAY_%s", f->name);
	for (int i = 0; !f->env && i < len && i < CONFIG_ENV_NAME_BYTES; i++) {
		if (out[i] == '-')
			out[i] = '_';
		else if (out[i] >= 'a' && out[i] <= 'z')
			out[i] = (char)(out[i] - 'a' + 'A');
	}
}

const struct config_command *config_find_command(const struct config_program *p, struct str words)
{
	for (size_t i = 0; i < p->command_count; i++)
		if (str_eq_c(words, p->commands[i].words) ||
		    (p->commands[i].alias && str_eq_c(words, p->commands[i].alias)))
			return &p->commands[i];
	return NULL;
}

static bool begins_with(const char *command_words, struct str words)
{
	struct str all = str_from(command_words);
	return str_starts(all, words) && (all.len == words.len || all.data[words.len] == ' ');
}

bool config_is_group(const struct config_program *p, struct str words)
{
	for (size_t i = 0; i < p->command_count; i++)
		if (begins_with(p->commands[i].words, words) && p->commands[i].words[words.len] == ' ')
			return true;
	return false;
}

static const char *kind_words(const struct config_flag *f)
{
	switch (f->kind) {
	case CONFIG_BOOL:
		return "yes or no";
	case CONFIG_I64:
		return "a whole number";
	case CONFIG_NUM:
		return "a number";
	case CONFIG_MS:
		return "a duration such as 500ms, 10s or 1h30m";
	case CONFIG_BYTES:
		return "a size such as 64KiB or 2GiB";
	case CONFIG_CHOICE:
		return "one of the choices";
	case CONFIG_TEXT:
	case CONFIG_LIST:
		break;
	}
	return "text";
}

enum err_code config_say_bad_value(const struct config_flag *f, const char *origin, struct str text,
                                   struct error *reterr)
{
	if (f->kind != CONFIG_CHOICE)
		return error_set(reterr, ERR_INVALID, "%s: '%.*s' is not %s", origin, STR_ARG(text), kind_words(f));
	struct buf choices;
	buf_init(&choices, 400);
	size_t count = 0;
	for (; f->choices[count]; count++)
		(void)buf_printf(&choices, "%s%s", count ? ", " : "",
		                 f->choices[count]); /* a cut list is still of use */
	const char *near = config_nearest(text, f->choices, count);
	enum err_code err = error_set(reterr, ERR_INVALID, "%s: '%.*s' is none of %.*s%s%s%s", origin, STR_ARG(text),
	                              STR_ARG(buf_str(&choices)), near ? " (did you mean '" : "", near ? near : "",
	                              near ? "'?)" : "");
	buf_done(&choices);
	return err;
}

static void bound_text(const struct config_flag *f, int64_t bound, char out[40])
{
	const char *unit = f->kind == CONFIG_MS ? "ms" : f->kind == CONFIG_BYTES ? " bytes" : "";
	if (f->kind == CONFIG_MS && bound % 1000 == 0) {
		bound /= 1000;
		unit = "s";
	}
	(void)snprintf(out, 40, "%lld%s", (long long)bound, unit); /* 20 + 6 */
}

enum err_code config_say_out_of_bounds(const struct config_flag *f, const char *origin, struct str text,
                                       struct error *reterr)
{
	char low[40], high[40];
	bound_text(f, f->min, low);
	bound_text(f, f->max, high);
	return error_set(reterr, ERR_INVALID, "%s: %.*s is not between %s and %s", origin, STR_ARG(text), low, high);
}

enum err_code config_say_needed(const struct config_flag *f, struct error *reterr)
{
	char name[CONFIG_ENV_NAME_BYTES];
	config_env_name(f, name);
	if (f->marks & CONFIG_ENV_ONLY)
		return error_set(reterr, ERR_INVALID, "the variable %s is needed: %s", name, f->help);
	if (f->marks & CONFIG_NO_ENV)
		return error_set(reterr, ERR_INVALID, "--%s is needed: %s", f->name, f->help);
	return error_set(reterr, ERR_INVALID, "--%s (or the variable %s) is needed: %s", f->name, name, f->help);
}

static const char *nearest_flag(const struct config_flag *flags, size_t count, struct str name, unsigned *best_distance,
                                const char *best)
{
	for (size_t i = 0; i < count; i++) {
		const char *found = flags[i].marks & CONFIG_ENV_ONLY ? NULL : config_nearest(name, &flags[i].name, 1);
		unsigned distance = found ? str_distance(name, str_from(found)) : UINT32_MAX;
		if (distance < *best_distance) {
			*best_distance = distance;
			best = found;
		}
	}
	return best;
}

enum err_code config_say_unknown_flag(const struct config_program *p, const struct config_command *k, struct str typed,
                                      struct error *reterr)
{
	struct str name = str_slice(typed, 2, typed.len);
	bool is_long = str_starts(typed, STR("--"));
	for (size_t i = 0; is_long && i < p->command_count; i++)
		for (size_t j = 0; j < p->commands[i].flag_count; j++)
			if (!k && str_eq_c(name, p->commands[i].flags[j].name))
				return error_set(reterr, ERR_INVALID, "%.*s belongs behind its command: %s %s %.*s",
				                 STR_ARG(typed), p->name, p->commands[i].words, STR_ARG(typed));
	unsigned distance = UINT32_MAX;
	const char *near = NULL;
	if (is_long && k)
		near = nearest_flag(k->flags, k->flag_count, name, &distance, near);
	if (is_long)
		near = nearest_flag(p->flags, p->flag_count, name, &distance, near);
	const char *words = k ? k->words : "", *space = k ? " " : "";
	if (near)
		return error_set(reterr, ERR_INVALID, "unknown flag %.*s (did you mean --%s?)", STR_ARG(typed), near);
	return error_set(reterr, ERR_INVALID, "unknown flag %.*s; see: %s%s%s --help", STR_ARG(typed), p->name, space,
	                 words);
}

/* The word that stands at the place behind `group` in a command's words; empty when it does not begin with it. */
static struct str next_word(const char *command_words, struct str group)
{
	struct str rest = str_from(command_words), word = STR("");
	if (group.len) {
		if (!begins_with(command_words, group) || rest.len == group.len)
			return word;
		rest = str_slice(rest, group.len + 1, rest.len);
	}
	(void)str_split(&rest, ' ', &word); /* never empty: tables hold words */
	return word;
}

enum err_code config_say_unknown_command(const struct config_program *p, struct str group, struct str word,
                                         struct error *reterr)
{
	enum { NAMES_MAX = 128, WORD_MAX = 32 };
	char names[NAMES_MAX][WORD_MAX];
	const char *list[NAMES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < p->command_count && count < NAMES_MAX; i++) {
		struct str next = next_word(p->commands[i].words, group);
		if (next.len == 0 || next.len >= WORD_MAX || (count && str_eq_c(next, names[count - 1])))
			continue;
		(void)snprintf(names[count], WORD_MAX, "%.*s", STR_ARG(next)); /* measured above */
		list[count] = names[count];
		count++;
	}
	const char *near = config_nearest(word, list, count), *space = group.len ? " " : "";
	if (near)
		return error_set(reterr, ERR_INVALID, "unknown command '%.*s%s%.*s' (did you mean '%.*s%s%s'?)",
		                 STR_ARG(group), space, STR_ARG(word), STR_ARG(group), space, near);
	return error_set(reterr, ERR_INVALID, "unknown command '%.*s%s%.*s'; see: %s %.*s%s--help", STR_ARG(group),
	                 space, STR_ARG(word), p->name, STR_ARG(group), space);
}

static const char *value_name(const struct config_flag *f)
{
	static const char *const by_kind[] = {
		[CONFIG_TEXT] = "TEXT",   [CONFIG_I64] = "N",         [CONFIG_NUM] = "X",     [CONFIG_MS] = "D",
		[CONFIG_BYTES] = "BYTES", [CONFIG_CHOICE] = "CHOICE", [CONFIG_LIST] = "TEXT",
	};
	return f->value_name ? f->value_name : by_kind[f->kind];
}

static void help_flag_line(const struct config_flag *f, struct buf *out)
{
	enum { COLUMN = 30 };
	size_t start = out->len;
	char env[CONFIG_ENV_NAME_BYTES];
	config_env_name(f, env);
	if (f->marks & CONFIG_ENV_ONLY)
		(void)buf_printf(out, "  %s", env); /* asked once, at the end: buf.failed */
	else if (f->letter)
		(void)buf_printf(out, "  -%c, --%s", f->letter, f->name);
	else
		(void)buf_printf(out, "  --%s", f->name);
	if (f->kind == CONFIG_CHOICE && !f->value_name)
		for (size_t i = 0; f->choices[i]; i++)
			(void)buf_printf(out, "%s%s", i ? "|" : " ", f->choices[i]);
	else if (f->kind != CONFIG_BOOL && !(f->marks & CONFIG_ENV_ONLY))
		(void)buf_printf(out, " %s", value_name(f));
	size_t width = out->len - start;
	(void)buf_printf(out, "%*s%s", width + 2 > COLUMN ? 2 : (int)(COLUMN - width), "", f->help ? f->help : "");
	if (f->default_text && f->default_text[0] && f->kind != CONFIG_BOOL)
		(void)buf_printf(out, " [%s]", f->default_text);
	if (f->marks & CONFIG_NEEDED)
		(void)buf_append_c(out, " (needed)");
	if (f->env && !(f->marks & (CONFIG_ENV_ONLY | CONFIG_NO_ENV)))
		(void)buf_printf(out, " (variable %s)", f->env);
	(void)buf_append_char(out, '\n');
}

static void help_flags(const char *title, const struct config_flag *flags, size_t count, struct buf *out)
{
	size_t shown = 0;
	for (size_t i = 0; i < count; i++)
		shown += !(flags[i].marks & CONFIG_HIDDEN);
	if (shown == 0)
		return;
	(void)buf_printf(out, "\n%s:\n", title);
	for (size_t i = 0; i < count; i++)
		if (!(flags[i].marks & CONFIG_HIDDEN))
			help_flag_line(&flags[i], out);
}

static void help_examples(const char *examples, struct buf *out)
{
	struct str rest = str_from(examples), line;
	if (rest.len == 0)
		return;
	(void)buf_append_c(out, "\nexamples:\n");
	while (str_split(&rest, '\n', &line))
		if (line.len)
			(void)buf_printf(out, "  %.*s\n", STR_ARG(line));
}

static void help_commands(const struct config_program *p, struct str group, struct buf *out)
{
	(void)buf_append_c(out, "\ncommands:\n");
	for (size_t i = 0; i < p->command_count; i++) {
		const struct config_command *k = &p->commands[i];
		if (group.len && !begins_with(k->words, group))
			continue;
		size_t start = out->len;
		(void)buf_printf(out, "  %s%s%s", k->words, k->operands ? " " : "", k->operands ? k->operands : "");
		size_t width = out->len - start;
		(void)buf_printf(out, "%*s%s\n", width + 2 > 34 ? 2 : (int)(34 - width), "", k->summary);
	}
}

static bool help_of_command(const struct config_program *p, const struct config_command *k, struct buf *out)
{
	(void)buf_printf(out, "%s %s%s%s%s\n  %s\n", p->name, k->words, k->operands ? " " : "",
	                 k->operands ? k->operands : "", k->flag_count ? " [flags]" : "", k->summary);
	help_examples(k->examples, out);
	help_flags("flags", k->flags, k->flag_count, out);
	return buf_printf(out, "\nflags of every command: %s --help\n", p->name);
}

bool config_help(const struct config_program *program, struct str words, struct buf *out)
{
	const struct config_command *k = words.len ? config_find_command(program, words) : NULL;
	if (k)
		return help_of_command(program, k, out);
	(void)buf_printf(out, "%s%s%.*s%s [flags]\n", program->name, words.len ? " " : "", STR_ARG(words),
	                 program->command_count ? " COMMAND" : "");
	if (words.len == 0) {
		(void)buf_printf(out, "  %s\n", program->summary);
		help_examples(program->examples, out);
	}
	if (program->command_count)
		help_commands(program, words, out);
	if (words.len == 0) {
		help_flags(program->command_count ? "flags of every command" : "flags", program->flags,
		           program->flag_count, out);
		(void)buf_append_c(out, "  -h, --help                  this text, or that of a command\n"
		                        "  --version                   the version\n"
		                        "\nvariables:\n");
		struct str rest = str_from(program->variables), line;
		while (str_split(&rest, '\n', &line))
			if (line.len)
				(void)buf_printf(out, "  %.*s\n", STR_ARG(line));
		(void)buf_append_c(out, "  ASSAY_<FLAG>                each flag, its dashes as underscores\n");
	}
	return !out->failed;
}
