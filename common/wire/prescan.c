#include "common/wire/prescan.h"
#include "common/base/check.h"
#include "common/wire/text.h"
#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_EIGHT = 1, WIRE_LENGTH = 2, WIRE_GROUP = 3, WIRE_GROUP_END = 4, WIRE_FOUR = 5 };
enum { TAG_BYTES_MAX = 5, LENGTH_BYTES_MAX = 5, VARINT_BYTES_MAX = 10 };

struct scan {
	struct str bytes; /* all of them: for offsets in messages */
	size_t field_count;
	struct error *reterr;
};

struct span { /* a part of them under way */
	const unsigned char *at, *end;
};

struct where { /* what a message is about */
	const struct schema_message *message;
	const struct schema_field *field; /* NULL: not known */
	const unsigned char *at;
};

static enum err_code fail(struct scan *s, struct where w, enum err_code code, const char *what)
{
	size_t at = (size_t)(w.at - (const unsigned char *)s->bytes.data);
	return error_set(s->reterr, code, "%s%s%s at byte %zu: %s", w.message->name, w.field ? "." : "",
	                 w.field ? w.field->name : "", at, what);
}

/* False when the bytes end too early, there are more than `bytes_max` of them, or the value passes 64 bits. */
static bool read_varint(struct span *p, size_t bytes_max, uint64_t *ret_value)
{
	uint64_t value = 0;
	for (size_t i = 0; i < bytes_max && p->at < p->end; i++) {
		unsigned char byte = *p->at++;
		if (i == VARINT_BYTES_MAX - 1 && byte > 1)
			return false;
		value |= (uint64_t)(byte & 0x7F) << (7 * i);
		if (byte < 0x80) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static enum wire_type wire_type_of(enum schema_kind kind)
{
	if (kind == SCHEMA_FIXED64 || kind == SCHEMA_DOUBLE)
		return WIRE_EIGHT;
	return kind <= SCHEMA_ENUM ? WIRE_VARINT : WIRE_LENGTH;
}

static bool fits(enum schema_kind kind, uint64_t value)
{
	switch (kind) {
	case SCHEMA_U32:
		return value <= UINT32_MAX;
	case SCHEMA_BOOL:
		return value <= 1;
	case SCHEMA_ENUM:
		return value <= INT32_MAX;
	default:
		return true;
	}
}

/* Elements without tags, one after the other. */
static enum err_code scan_packed(struct scan *s, struct where w, struct span body, uint32_t *count)
{
	if (wire_type_of(w.field->kind) == WIRE_EIGHT) {
		size_t len = (size_t)(body.end - body.at);
		if (len % 8 != 0)
			return fail(s, w, ERR_CORRUPT, "packed numbers of eight bytes do not fill their length");
		*count += (uint32_t)(len / 8);
	}
	for (uint64_t value; wire_type_of(w.field->kind) == WIRE_VARINT && body.at < body.end; ++*count) {
		w.at = body.at;
		if (!read_varint(&body, VARINT_BYTES_MAX, &value))
			return fail(s, w, ERR_CORRUPT, "a packed number is cut or too long");
		if (!fits(w.field->kind, value))
			return fail(s, w, ERR_CORRUPT, "a packed number is out of range");
	}
	return *count > w.field->count_max ? fail(s, w, ERR_LIMIT, "too many elements") : ERR_OK;
}

static enum err_code scan_message(struct scan *s, struct span body, const struct schema_message *message,
                                  unsigned depth);

static enum err_code scan_content(struct scan *s, struct where w, struct span content, unsigned depth)
{
	struct str text = { (const char *)content.at, (size_t)(content.end - content.at) };
	if (w.field->kind == SCHEMA_MESSAGE)
		return scan_message(s, content, w.field->message, depth + 1);
	if (w.field->kind == SCHEMA_TEXT && !text_valid(text))
		return fail(s, w, ERR_CORRUPT, "text that is not UTF-8, or holds NUL");
	return ERR_OK;
}

/* Takes the content of a field off the span. For WIRE_LENGTH *ret_content is what it holds. */
static enum err_code take_content(struct scan *s, struct where w, struct span *p, enum wire_type type,
                                  struct span *ret_content)
{
	uint64_t value = 0;
	size_t left = (size_t)(p->end - p->at);
	switch (type) {
	case WIRE_VARINT:
		if (!read_varint(p, VARINT_BYTES_MAX, &value))
			return fail(s, w, ERR_CORRUPT, "a number is cut or too long");
		if (w.field && !fits(w.field->kind, value))
			return fail(s, w, ERR_CORRUPT, "a number is out of range");
		return ERR_OK;
	case WIRE_EIGHT:
	case WIRE_FOUR:
		value = type == WIRE_EIGHT ? 8 : 4;
		if (left < value)
			return fail(s, w, ERR_CORRUPT, "a number is cut");
		p->at += value;
		return ERR_OK;
	case WIRE_LENGTH:
		if (!read_varint(p, LENGTH_BYTES_MAX, &value))
			return fail(s, w, ERR_CORRUPT, "a length is cut or too long");
		if (value > (size_t)(p->end - p->at))
			return fail(s, w, ERR_CORRUPT, "a length passes the end");
		*ret_content = (struct span){ p->at, p->at + value };
		p->at += value;
		return ERR_OK;
	case WIRE_GROUP:
	case WIRE_GROUP_END:
		return fail(s, w, ERR_CORRUPT, "groups are not allowed");
	}
	return fail(s, w, ERR_CORRUPT, "a wire type that does not exist");
}

/* The place of the field in the table, or field_count. Senders write in order, so the search goes on from `hint`. */
static size_t find_field(const struct schema_message *message, uint32_t number, size_t hint)
{
	for (size_t i = hint; i < message->field_count && message->fields[i].number <= number; i++)
		if (message->fields[i].number == number)
			return i;
	for (size_t i = 0; i < hint; i++)
		if (message->fields[i].number == number)
			return i;
	return message->field_count;
}

static enum err_code scan_field(struct scan *s, struct where w, struct span *p, enum wire_type type, uint32_t *count,
                                unsigned depth)
{
	struct span content = { p->at, p->at };
	enum err_code err = take_content(s, w, p, type, &content);
	if (err || !w.field)
		return err;
	enum wire_type wanted = wire_type_of(w.field->kind);
	if (type == WIRE_LENGTH && wanted != WIRE_LENGTH && w.field->count_max > 0)
		return scan_packed(s, w, content, count);
	if (type != wanted)
		return fail(s, w, ERR_CORRUPT, "has the wrong wire type");
	if (++*count > MAX_OF(w.field->count_max, 1U))
		return w.field->count_max ? fail(s, w, ERR_LIMIT, "too many elements")
		                          : fail(s, w, ERR_CORRUPT, "is there twice");
	return wanted == WIRE_LENGTH ? scan_content(s, w, content, depth) : ERR_OK;
}

static enum err_code scan_message(struct scan *s, struct span body, const struct schema_message *message,
                                  unsigned depth)
{
	uint32_t counts[SCHEMA_FIELDS_MAX] = { 0 };
	struct where w = { message, NULL, body.at };
	if (depth > PRESCAN_DEPTH_MAX)
		return fail(s, w, ERR_LIMIT, "nested too deep");
	check(message->field_count <= SCHEMA_FIELDS_MAX);
	bool has_body = false;
	for (size_t at = 0; body.at < body.end;) {
		uint64_t tag;
		w = (struct where){ message, NULL, body.at };
		if (++s->field_count > PRESCAN_FIELDS_MAX)
			return fail(s, w, ERR_LIMIT, "the frame has too many fields");
		if (!read_varint(&body, TAG_BYTES_MAX, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
			return fail(s, w, ERR_CORRUPT, "no field starts here");
		size_t found = find_field(message, (uint32_t)(tag >> 3), at);
		bool known = found < message->field_count;
		at = known ? found : at;
		w.field = known ? &message->fields[found] : NULL;
		if (known && message == &schema_frame && w.field->kind == SCHEMA_MESSAGE) {
			if (has_body)
				return fail(s, w, ERR_CORRUPT, "a frame has one body");
			has_body = true;
		}
		enum err_code err = scan_field(s, w, &body, (enum wire_type)(tag & 7), &counts[at], depth);
		if (err)
			return err;
	}
	return ERR_OK;
}

enum err_code prescan_check(struct str bytes, const struct schema_message *message, struct error *reterr)
{
	struct scan s = { .bytes = bytes, .reterr = reterr };
	const unsigned char *from = (const unsigned char *)bytes.data;
	return scan_message(&s, (struct span){ from, from ? from + bytes.len : from }, message, 1);
}
