#include "common/wire/msg.h"
#include <string.h>

const char *msg_kind_name(enum msg_kind kind)
{
	static const char *const names[MSG_KIND_COUNT] = {
		[MSG_HELLO] = "Hello",     [MSG_WELCOME] = "Welcome",    [MSG_REFUSED] = "Refused",
		[MSG_RENEW] = "Renew",     [MSG_RENEWED] = "Renewed",    [MSG_LEASE] = "Lease",
		[MSG_RESULTS] = "Results", [MSG_COMMIT] = "Commit",      [MSG_RELEASED] = "Released",
		[MSG_RELEASE] = "Release", [MSG_REVOKE] = "Revoke",      [MSG_GRANT] = "Grant",
		[MSG_DRAIN] = "Drain",     [MSG_BLOB_WANT] = "BlobWant", [MSG_BLOB] = "Blob",
	};
	return (size_t)kind < MSG_KIND_COUNT && names[kind] ? names[kind] : "?";
}

bool lease_no_eq(struct lease_no a, struct lease_no b)
{
	return a.term == b.term && a.n == b.n;
}

bool outbox_id_eq(struct outbox_id a, struct outbox_id b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}
