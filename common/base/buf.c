#include "common/base/buf.h"
#include "common/base/mem.h"
#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, size_t bytes_max)
{
	*b = (struct buf){ .max = MIN_OF(bytes_max, SIZE_MAX / 4) }; /* so that no sum of sizes here can overflow */
}

void buf_done(struct buf *b)
{
	mem_free(b->data);
	buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

bool buf_reserve(struct buf *b, size_t extra)
{
	if (b->failed)
		return false;
	if (extra > b->max - b->len) {
		b->failed = true;
		return false;
	}
	size_t want = b->len + extra + 1;
	if (want <= b->cap)
		return true;
	size_t cap = b->cap * 2 > want ? b->cap * 2 : want;
	if (cap < 64)
		cap = 64;
	if (cap > b->max + 1)
		cap = b->max + 1;
	char *grown = mem_try_grow(b->data, cap, 1);
	if (!grown) {
		b->failed = true;
		return false;
	}
	b->data = grown;
	b->cap = cap;
	return true;
}

bool buf_append(struct buf *b, const void *data, size_t len)
{
	if (!buf_reserve(b, len))
		return false;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return true;
}

bool buf_append_str(struct buf *b, struct str s)
{
	return buf_append(b, s.data, s.len);
}

bool buf_append_c(struct buf *b, const char *c_string)
{
	return buf_append(b, c_string, strlen(c_string));
}

bool buf_append_char(struct buf *b, char c)
{
	return buf_append(b, &c, 1);
}

bool buf_vprintf(struct buf *b, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	bool ok = len >= 0 && buf_reserve(b, (size_t)len);
	if (ok) {
		(void)vsnprintf(b->data + b->len, (size_t)len + 1, format, again); /* measured just above */
		b->len += (size_t)len;
	} else {
		b->failed = true;
	}
	va_end(again);
	return ok;
}

bool buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	bool ok = buf_vprintf(b, format, args);
	va_end(args);
	return ok;
}

struct str buf_str(const struct buf *b)
{
	return (struct str){ b->data ? b->data : "", b->len };
}

char *buf_take(struct buf *b, size_t *ret_len)
{
	if (b->failed || !buf_reserve(b, 0))
		return NULL;
	b->data[b->len] = '\0';
	char *data = b->data;
	if (ret_len)
		*ret_len = b->len;
	buf_init(b, b->max);
	return data;
}
