#include "coordinator/catalog/item_column.h"
#include "common/base/unicode.h"

/* Index behind the quote that ends the text which begins at `at`, a quote. */
static size_t behind_text(struct str line, size_t at)
{
	for (at++; at < line.len && line.data[at] != '"'; at++)
		at += line.data[at] == '\\';
	return MIN_OF(at + 1, line.len);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Of two texts behind each other in an object, the first is the key: a colon says so. */
static bool is_key(struct str line, size_t behind)
{
	while (behind < line.len && is_space(line.data[behind]))
		behind++;
	return behind < line.len && line.data[behind] == ':';
}

size_t item_column(struct str line, struct str key)
{
	int depth = 0;
	for (size_t at = 0; key.len && at < line.len;) {
		char c = line.data[at];
		if (c != '"') {
			depth += c == '{' || c == '[';
			depth -= c == '}' || c == ']';
			at++;
			continue;
		}
		size_t behind = behind_text(line, at);
		if (depth == 1 && str_eq(str_slice(line, at + 1, behind - 1), key) && is_key(line, behind))
			return unicode_length(str_slice(line, 0, at)) + 1;
		at = behind;
	}
	return 1;
}

size_t item_column_of_message(struct str line, struct str message)
{
	size_t len = 0;
	while (len < message.len &&
	       ((message.data[len] >= 'a' && message.data[len] <= 'z') || message.data[len] == '_'))
		len++;
	return item_column(line, str_slice(message, 0, len));
}
