#include "common/io/secrets.h"
#include "common/base/json_write.h"
#include "common/base/mem.h"
#include "common/io/keys.h"
#include <stdatomic.h>
#include <string.h>

/* One state of the table. A new secret makes a new table; the older ones stay, since another thread may be reading
 * them and there are few: they are reached through `older`. */
struct table {
	struct table *older;
	size_t count;
	bool starts[256]; /* does any secret start with this byte? */
	struct str items[];
};

static _Atomic(struct table *) newest;

static const struct table *current(void)
{
	return atomic_load_explicit(&newest, memory_order_acquire);
}

static bool holds(const struct table *t, struct str secret)
{
	for (size_t i = 0; t && i < t->count; i++)
		if (str_eq(t->items[i], secret))
			return true;
	return false;
}

/* False when the table is full. Takes a copy. */
static bool add_one(struct str secret)
{
	char *copy = mem_new(secret.len, 1);
	memcpy(copy, secret.data, secret.len);
	struct table *old = atomic_load_explicit(&newest, memory_order_acquire), *t = NULL;
	bool added = false;
	for (;;) {
		size_t count = old ? old->count : 0;
		if (holds(old, secret) || count >= SECRETS_COUNT_MAX)
			break;
		mem_free(t);
		t = mem_new(1, sizeof(*t) + (count + 1) * sizeof(t->items[0]));
		t->older = old;
		if (old) {
			memcpy(t->starts, old->starts, sizeof(t->starts));
			memcpy(t->items, old->items, count * sizeof(t->items[0]));
		}
		t->items[count] = str_make(copy, secret.len);
		t->count = count + 1;
		t->starts[(unsigned char)copy[0]] = true;
		added = atomic_compare_exchange_weak_explicit(&newest, &old, t, memory_order_acq_rel,
		                                              memory_order_acquire);
		if (added)
			return true;
	}
	mem_free(t);
	keys_wipe(copy, secret.len);
	mem_free(copy);
	return holds(old, secret);
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;
}

static void append_percent_encoded(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != '\0' && is_unreserved(s.data[i]))
			(void)buf_append_char(out, s.data[i]); /* asked once, at the end: buf.failed */
		else
			(void)buf_printf(out, "%%%02X", (unsigned char)s.data[i]);
}

enum err_code secrets_add(struct str secret, struct error *reterr)
{
	if (secret.len < SECRETS_BYTES_MIN)
		return error_set(reterr, ERR_INVALID, "a secret of %zu bytes is too short to be hidden (at least %d)",
		                 secret.len, SECRETS_BYTES_MIN);
	if (secret.len > SECRETS_BYTES_MAX)
		return error_set(reterr, ERR_INVALID, "a secret of %zu bytes is too long to be hidden (at most %d)",
		                 secret.len, SECRETS_BYTES_MAX);
	struct buf form;
	buf_init(&form, (size_t)SECRETS_BYTES_MAX * 6 + 2);
	bool fits = add_one(secret);
	struct json_write w;
	json_write_init(&w, &form, false);
	json_write_str(&w, secret);
	if (fits && !form.failed)
		fits = add_one(str_slice(buf_str(&form), 1, form.len - 1)); /* without the quotes */
	buf_clear(&form);
	append_percent_encoded(secret, &form);
	if (fits && !form.failed)
		fits = add_one(buf_str(&form));
	if (form.data)
		keys_wipe(form.data, form.cap);
	buf_done(&form);
	return fits ? ERR_OK : error_set(reterr, ERR_LIMIT, "more than %d secret forms", SECRETS_COUNT_MAX);
}

/* The length of the longest secret that stands at text[at]; 0: none. */
static size_t secret_at(const struct table *t, struct str text, size_t at)
{
	size_t longest = 0;
	if (!t->starts[(unsigned char)text.data[at]])
		return 0;
	for (size_t i = 0; i < t->count; i++) {
		struct str s = t->items[i];
		if (s.len > longest && s.len <= text.len - at && memcmp(text.data + at, s.data, s.len) == 0)
			longest = s.len;
	}
	return longest;
}

bool secrets_present(struct str text)
{
	const struct table *t = current();
	for (size_t i = 0; t && i < text.len; i++)
		if (secret_at(t, text, i))
			return true;
	return false;
}

bool secrets_mask(struct str in, struct buf *out)
{
	const struct table *t = current();
	size_t clean_from = 0;
	for (size_t i = 0; t && i < in.len;) {
		size_t len = secret_at(t, in, i);
		if (len == 0) {
			i++;
			continue;
		}
		(void)buf_append(out, in.data + clean_from, i - clean_from); /* a failure stays until the last append */
		(void)buf_append_c(out, "[hidden]");
		i += len;
		clean_from = i;
	}
	return buf_append_str(out, str_slice(in, clean_from, in.len));
}

void secrets_mask_error(struct error *error)
{
	struct str text = str_from(error->text);
	if (!secrets_present(text))
		return;
	struct buf masked;
	buf_init(&masked, (size_t)ERROR_TEXT_BYTES_MAX * 8);
	(void)secrets_mask(text, &masked); /* room for every byte to grow */
	(void)error_set(error, error->code, "%.*s", STR_ARG(buf_str(&masked)));
	keys_wipe(masked.data, masked.cap);
	buf_done(&masked);
}

void secrets_clear(void)
{
	struct table *t = atomic_exchange(&newest, NULL);
	for (size_t i = 0; t && i < t->count; i++) {
		keys_wipe((void *)(uintptr_t)t->items[i].data, t->items[i].len); /* ours: add_one() copied it */
		mem_free((void *)(uintptr_t)t->items[i].data);
	}
	while (t) {
		struct table *older = t->older;
		mem_free(t);
		t = older;
	}
}
