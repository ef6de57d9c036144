#include "common/io/config.h"
#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/config_private.h"
#include <string.h>
#include <unistd.h>

static const struct config_flag help_flag = {
	.name = "help", .letter = 'h', .kind = CONFIG_BOOL, .marks = CONFIG_NO_ENV
};
static const struct config_flag version_flag = { .name = "version", .kind = CONFIG_BOOL, .marks = CONFIG_NO_ENV };

struct value {
	const struct config_flag *flag;
	bool given, set;
	bool yes;
	int64_t i64;
	double num;
	struct str text;
	struct str *list;
	size_t list_count, list_cap;
};

struct config {
	const struct config_program *program;
	const struct config_command *command;
	struct str words; /* of the command as typed, or as far as it went: for help */
	bool wants_help, wants_version;
	struct value *values;
	size_t value_count;
	struct str *operands;
	size_t operand_count, operand_cap;
	struct arena memory;
};

/* Reads one value by the flag's kind into *v; `origin` names it in errors: "--workers" or "ASSAY_WORKERS". */
static enum err_code read_value(struct config *c, struct value *v, struct str text, const char *origin,
                                struct error *reterr)
{
	const struct config_flag *f = v->flag;
	bool good = true;
	double number = 0;
	switch (f->kind) {
	case CONFIG_BOOL:
		good = config_read_bool(text, &v->yes);
		break;
	case CONFIG_TEXT:
		v->text = arena_str(&c->memory, text);
		break;
	case CONFIG_LIST:
		mem_reserve(&v->list, &v->list_cap, v->list_count + 1, sizeof(*v->list));
		v->list[v->list_count++] = arena_str(&c->memory, text);
		break;
	case CONFIG_CHOICE:
		v->text = arena_str(&c->memory, text);
		good = false;
		for (const char *const *choice = f->choices; *choice; choice++)
			good = good || str_eq_c(text, *choice);
		break;
	case CONFIG_I64:
		good = str_to_i64(text, &v->i64);
		number = (double)v->i64;
		break;
	case CONFIG_MS:
		good = config_read_ms(text, &v->i64);
		number = (double)v->i64;
		break;
	case CONFIG_BYTES:
		good = config_read_bytes(text, &v->i64);
		number = (double)v->i64;
		break;
	case CONFIG_NUM:
		good = str_to_double(text, &v->num);
		number = v->num;
		break;
	}
	if (!good)
		return config_say_bad_value(f, origin, text, reterr);
	if ((f->min || f->max) && (number < (double)f->min || number > (double)f->max))
		return config_say_out_of_bounds(f, origin, text, reterr);
	v->set = true;
	return ERR_OK;
}

static struct value *find_value(struct config *c, struct str name)
{
	for (size_t i = 0; i < c->value_count; i++)
		if (str_eq_c(name, c->values[i].flag->name))
			return &c->values[i];
	return NULL;
}

static void add_flags(struct config *c, const struct config_flag *flags, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		check_msg(!find_value(c, str_from(flags[i].name)), "flag --%s is in the tables twice", flags[i].name);
		c->values[c->value_count++] = (struct value){ .flag = &flags[i] };
	}
}

/* One flag as it was typed: its name without dashes, and what stood behind "=". */
struct typed {
	struct str whole, name, value;
	bool has_value, negated;
	char letter;
};

static bool looks_like_flag(struct str arg)
{
	return arg.len >= 2 && arg.data[0] == '-' && !(arg.data[1] >= '0' && arg.data[1] <= '9') && arg.data[1] != '.';
}

static struct typed take_apart(struct str arg)
{
	struct typed t = { .whole = arg };
	if (arg.data[1] != '-') {
		t.letter = arg.data[1];
		t.has_value = arg.len > 2;
		bool equals = t.has_value && arg.data[2] == '=';
		t.value = str_slice(arg, equals ? 3 : 2, arg.len);
		return t;
	}
	struct str body = str_slice(arg, 2, arg.len);
	ptrdiff_t equals = str_find_char(body, '=');
	t.has_value = equals >= 0;
	t.name = t.has_value ? str_slice(body, 0, (size_t)equals) : body;
	t.value = t.has_value ? str_slice(body, (size_t)equals + 1, body.len) : (struct str){ NULL, 0 };
	t.whole = str_slice(arg, 0, 2 + t.name.len);
	return t;
}

/* The flag that was meant, among `flags`; *negated when it was --no-NAME. */
static const struct config_flag *match(const struct config_flag *flags, size_t count, struct typed *t)
{
	for (size_t i = 0; i < count; i++) {
		const struct config_flag *f = &flags[i];
		if (f->marks & CONFIG_ENV_ONLY)
			continue;
		if (t->letter ? f->letter == t->letter : str_eq_c(t->name, f->name))
			return f;
		if (f->kind == CONFIG_BOOL && str_starts(t->name, STR("no-")) &&
		    str_eq_c(str_slice(t->name, 3, t->name.len), f->name)) {
			t->negated = true;
			return f;
		}
	}
	return NULL;
}

static const struct config_flag *match_any(const struct config *c, struct typed *t)
{
	const struct config_flag *f = match(&help_flag, 1, t);
	if (!f)
		f = match(&version_flag, 1, t);
	if (!f && c->command)
		f = match(c->command->flags, c->command->flag_count, t);
	if (!f)
		f = match(c->program->flags, c->program->flag_count, t);
	return f;
}

/* Handles the flag at args[*at]; moves *at over a value that stands apart. */
static enum err_code take_flag(struct config *c, size_t arg_count, const char *const *args, size_t *at,
                               struct error *reterr)
{
	struct typed t = take_apart(str_from(args[*at]));
	const struct config_flag *f = match_any(c, &t);
	struct typed as_long = { .name = str_slice(t.whole, 1, t.whole.len) };
	if (t.letter && t.has_value && match_any(c, &as_long)) /* -model: not -m with the value "odel" */
		return error_set(reterr, ERR_INVALID, "unknown flag %.*s (did you mean -%.*s?)", STR_ARG(t.whole),
		                 STR_ARG(t.whole));
	if (!f)
		return config_say_unknown_flag(c->program, c->command, t.whole, reterr);
	if (f == &help_flag || f == &version_flag) {
		*(f == &help_flag ? &c->wants_help : &c->wants_version) = true;
		return ERR_OK;
	}
	char origin[80];
	(void)snprintf(origin, sizeof(origin), "--%s", f->name); /* table names are short */
	if (f->kind == CONFIG_BOOL && !t.has_value)
		t.value = t.negated ? STR("no") : STR("yes");
	else if (t.negated)
		return error_set(reterr, ERR_INVALID, "--no-%s takes no value", f->name);
	else if (!t.has_value) {
		if (*at + 1 >= arg_count ||
		    (looks_like_flag(str_from(args[*at + 1])) && f->kind != CONFIG_TEXT && f->kind != CONFIG_LIST) ||
		    str_starts(str_from(args[*at + 1]), STR("--")))
			return error_set(reterr, ERR_INVALID, "--%s needs a value: %s", f->name,
			                 f->help ? f->help : "");
		t.value = str_from(args[++*at]);
	}
	struct value *v = find_value(c, str_from(f->name));
	check(v != NULL);
	v->given = true;
	return read_value(c, v, t.value, origin, reterr);
}

/* Joins the words that name the command: the longest entry of the table that the non-flag words begin with. Global
 * flags may stand between them. Marks the words it used in `used`. */
static enum err_code find_command(struct config *c, size_t arg_count, const char *const *args, bool *used,
                                  struct error *reterr)
{
	enum { WORDS_MAX = 3 };
	size_t at_of[WORDS_MAX], word_count = 0;
	struct str words[WORDS_MAX];
	for (size_t i = 0; i < arg_count && word_count < WORDS_MAX && strcmp(args[i], "--") != 0; i++) {
		struct str arg = str_from(args[i]);
		if (!looks_like_flag(arg)) {
			at_of[word_count] = i;
			words[word_count++] = arg;
			continue;
		}
		struct typed t = take_apart(arg);
		const struct config_flag *f = match_any(c, &t);
		if (!f && word_count == 0)
			return config_say_unknown_flag(c->program, NULL, t.whole, reterr);
		if (!f)
			break; /* a flag of the command itself: its words are over */
		if (f->kind != CONFIG_BOOL && !t.has_value)
			i++;
	}
	struct buf joined;
	buf_init(&joined, 4096);
	const struct config_command *best = NULL;
	size_t best_words = 0, group_words = 0;
	for (size_t n = 1; n <= word_count; n++) {
		if (n > 1)
			(void)buf_append_char(&joined, ' ');
		if (!buf_append_str(&joined, words[n - 1])) /* keeps failing once it has: then nothing matches */
			break;
		const struct config_command *found = config_find_command(c->program, buf_str(&joined));
		if (found) {
			best = found;
			best_words = n;
		}
		if (!found && !config_is_group(c->program, buf_str(&joined)))
			break;
		c->words = arena_str(&c->memory, buf_str(&joined));
		group_words = n;
	}
	buf_done(&joined);
	c->command = best;
	for (size_t n = 0; n < best_words; n++)
		used[at_of[n]] = true;
	if (best || word_count == 0)
		return ERR_OK;
	if (group_words == word_count) { /* a group alone, "assay runs": help is the best answer */
		for (size_t n = 0; n < word_count; n++)
			used[at_of[n]] = true;
		return ERR_OK;
	}
	return config_say_unknown_command(c->program, c->words, words[group_words], reterr);
}

static enum err_code take_args(struct config *c, size_t arg_count, const char *const *args, const bool *used,
                               struct error *reterr)
{
	bool flags_over = false;
	for (size_t i = 0; i < arg_count; i++) {
		struct str arg = str_from(args[i]);
		if (!flags_over && str_eq_c(arg, "--")) {
			flags_over = true;
		} else if (!flags_over && looks_like_flag(arg)) {
			enum err_code err = take_flag(c, arg_count, args, &i, reterr);
			if (err != ERR_OK)
				return err;
		} else if (!used[i]) {
			mem_reserve(&c->operands, &c->operand_cap, c->operand_count + 1, sizeof(*c->operands));
			c->operands[c->operand_count++] = arena_str(&c->memory, arg);
		}
	}
	return ERR_OK;
}

static struct str env_value(const char *const *environment, const char *name)
{
	size_t len = strlen(name);
	for (; *environment; environment++)
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return str_from(*environment + len + 1);
	return (struct str){ NULL, 0 };
}

static enum err_code fill_from_env(struct config *c, struct value *v, const char *const *environment,
                                   struct error *reterr)
{
	char name[CONFIG_ENV_NAME_BYTES];
	config_env_name(v->flag, name);
	struct str text = env_value(environment, name), piece;
	if (text.len == 0)
		return ERR_OK;
	v->given = true;
	if (v->flag->kind != CONFIG_LIST)
		return read_value(c, v, text, name, reterr);
	enum err_code err = ERR_OK;
	while (err == ERR_OK && str_split(&text, ',', &piece))
		err = read_value(c, v, str_trim(piece), name, reterr);
	return err;
}

/* What was not given: the environment, the default, or an error. */
static enum err_code fill_rest(struct config *c, const char *const *environment, struct error *reterr)
{
	for (size_t i = 0; i < c->value_count; i++) {
		struct value *v = &c->values[i];
		const struct config_flag *f = v->flag;
		enum err_code err = ERR_OK;
		if (!v->given && !(f->marks & CONFIG_NO_ENV))
			err = fill_from_env(c, v, environment, reterr);
		if (err == ERR_OK && !v->given && f->default_text) {
			enum err_code default_err = read_value(c, v, str_from(f->default_text), f->name, reterr);
			check_msg(default_err == ERR_OK, "the default of --%s breaks its own rules", f->name);
		}
		if (err == ERR_OK && !v->set && (f->marks & CONFIG_NEEDED))
			err = config_say_needed(f, reterr);
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

static enum err_code check_operands(const struct config *c, struct error *reterr)
{
	const struct config_command *k = c->command;
	size_t min = k ? k->operand_min : 0, max = k ? k->operand_max : 0;
	if (c->operand_count >= min && c->operand_count <= max)
		return ERR_OK;
	if (max == 0)
		return error_set(reterr, ERR_INVALID, "'%s%s%s' takes no '%.*s'", c->program->name, k ? " " : "",
		                 k ? k->words : "", STR_ARG(c->operands[0]));
	if (c->operand_count < min)
		return error_set(reterr, ERR_INVALID, "'%s %s' needs %s", c->program->name, k->words, k->operands);
	return error_set(reterr, ERR_INVALID, "'%s %s' takes %s; '%.*s' is too much", c->program->name, k->words,
	                 k->operands, STR_ARG(c->operands[max]));
}

enum err_code config_parse(const struct config_program *program, size_t arg_count, const char *const *args,
                           const char *const *environment, struct config **ret_config, struct error *reterr)
{
	struct config *c = mem_new(1, sizeof(*c));
	c->program = program;
	arena_init(&c->memory, (size_t)64 << 20); /* far above what exec lets through */
	bool *used = mem_new(arg_count + 1, sizeof(*used));
	enum err_code err = program->command_count ? find_command(c, arg_count, args, used, reterr) : ERR_OK;
	if (err == ERR_OK) {
		c->values = mem_new(program->flag_count + (c->command ? c->command->flag_count : 0) + 1,
		                    sizeof(*c->values));
		add_flags(c, program->flags, program->flag_count);
		if (c->command)
			add_flags(c, c->command->flags, c->command->flag_count);
		err = take_args(c, arg_count, args, used, reterr);
	}
	if (err == ERR_OK && !c->wants_help && !c->wants_version) {
		err = fill_rest(c, environment ? environment : (const char *const *)environ, reterr);
		if (err == ERR_OK)
			err = check_operands(c, reterr);
	}
	mem_free(used);
	if (err == ERR_OK)
		*ret_config = c;
	else
		config_free(c);
	return err;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->value_count; i++)
		mem_free(c->values[i].list);
	mem_free(c->values);
	mem_free(c->operands);
	arena_done(&c->memory);
	mem_free(c);
}

bool config_wants_help(const struct config *c)
{
	return c->wants_help;
}

bool config_wants_version(const struct config *c)
{
	return c->wants_version;
}

const struct config_command *config_command(const struct config *c)
{
	return c->command;
}

bool config_help_asked(const struct config *c, struct buf *out)
{
	return config_help(c->program, c->words, out);
}

size_t config_operand_count(const struct config *c)
{
	return c->operand_count;
}

struct str config_operand(const struct config *c, size_t at)
{
	return at < c->operand_count ? c->operands[at] : STR("");
}

static const struct value *value_of(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->value_count; i++)
		if (strcmp(name, c->values[i].flag->name) == 0)
			return &c->values[i];
	check_msg(false, "there is no flag --%s here", name);
	return NULL;
}

bool config_has(const struct config *c, const char *name)
{
	return value_of(c, name)->set;
}

bool config_given(const struct config *c, const char *name)
{
	return value_of(c, name)->given;
}

bool config_bool(const struct config *c, const char *name)
{
	const struct value *v = value_of(c, name);
	check_msg(v->flag->kind == CONFIG_BOOL, "--%s", name);
	return v->yes;
}

struct str config_text(const struct config *c, const char *name)
{
	const struct value *v = value_of(c, name);
	check_msg(v->flag->kind == CONFIG_TEXT || v->flag->kind == CONFIG_CHOICE, "--%s", name);
	return v->set ? v->text : STR("");
}

int64_t config_i64(const struct config *c, const char *name)
{
	const struct value *v = value_of(c, name);
	check_msg(v->flag->kind == CONFIG_I64 || v->flag->kind == CONFIG_MS || v->flag->kind == CONFIG_BYTES, "--%s",
	          name);
	return v->i64;
}

double config_num(const struct config *c, const char *name)
{
	const struct value *v = value_of(c, name);
	check_msg(v->flag->kind == CONFIG_NUM, "--%s", name);
	return v->num;
}

size_t config_list_count(const struct config *c, const char *name)
{
	const struct value *v = value_of(c, name);
	check_msg(v->flag->kind == CONFIG_LIST, "--%s", name);
	return v->list_count;
}

struct str config_list(const struct config *c, const char *name, size_t at)
{
	const struct value *v = value_of(c, name);
	check_msg(v->flag->kind == CONFIG_LIST && at < v->list_count, "--%s", name);
	return v->list[at];
}
