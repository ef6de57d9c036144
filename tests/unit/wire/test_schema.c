/* Goal: the hand-written table of the pre-scan says what proto/assay.proto says, field by field, and the enums of
 * msg.h and outcome.h have the numbers of the .proto. */
#include "common/wire/msg.h"
#include "common/wire/prescan.h"
#include "common/wire/schema.h"
#include "proto/assay.pb-c.h"
#include "tests/support/cmocka_all.h"

static enum schema_kind kind_of(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_UINT32:
		return SCHEMA_U32;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_INT64:
		return SCHEMA_U64;
	case PROTOBUF_C_TYPE_BOOL:
		return SCHEMA_BOOL;
	case PROTOBUF_C_TYPE_ENUM:
		return SCHEMA_ENUM;
	case PROTOBUF_C_TYPE_FIXED64:
		return SCHEMA_FIXED64;
	case PROTOBUF_C_TYPE_DOUBLE:
		return SCHEMA_DOUBLE;
	case PROTOBUF_C_TYPE_STRING:
		return SCHEMA_TEXT;
	case PROTOBUF_C_TYPE_BYTES:
		return SCHEMA_BYTES;
	case PROTOBUF_C_TYPE_MESSAGE:
		return SCHEMA_MESSAGE;
	default:
		fail_msg("%s is of a type that the table has no word for", f->name);
		return SCHEMA_BYTES;
	}
}

static unsigned same_message(const struct schema_message *ours, const ProtobufCMessageDescriptor *theirs)
{
	unsigned depth = 0;
	assert_string_equal(ours->name, theirs->short_name);
	assert_int_equal(ours->field_count, theirs->n_fields);
	assert_true(ours->field_count <= SCHEMA_FIELDS_MAX);
	for (size_t i = 0; i < ours->field_count; i++) {
		const struct schema_field *a = &ours->fields[i];
		const ProtobufCFieldDescriptor *b = &theirs->fields[i];
		bool is_list = b->label == PROTOBUF_C_LABEL_REPEATED, is_message = b->type == PROTOBUF_C_TYPE_MESSAGE;
		if (strcmp(a->name, b->name) != 0 || a->number != b->id || a->kind != kind_of(b) ||
		    (a->count_max > 0) != is_list || (a->message != NULL) != is_message)
			fail_msg("%s.%s = %u of the .proto is not what the table has: %s = %u", ours->name, b->name,
			         b->id, a->name, a->number);
		if (a->message)
			depth = MAX_OF(depth, same_message(a->message, b->descriptor)); /* ends: nothing holds itself */
	}
	return depth + 1;
}

static void the_table_says_what_the_proto_says(void **state)
{
	(void)state;
	unsigned depth = same_message(&schema_frame, &assay__wire__frame__descriptor);
	assert_int_equal(depth, 4); /* Frame, Results, Record, Score */
	assert_true(depth <= PRESCAN_DEPTH_MAX);
}

/* "OUTCOME_SCORED" of the .proto is "scored" here. */
static void same_enum(const ProtobufCEnumDescriptor *theirs, const char *prefix, size_t count,
                      const char *(*name)(unsigned number))
{
	assert_int_equal(theirs->n_values, count);
	for (unsigned i = 0; i < theirs->n_values; i++) {
		const char *their_name = theirs->values[i].name + strlen(prefix);
		const char *our_name = name((unsigned)theirs->values[i].value);
		assert_int_equal(theirs->values[i].value, (int)i);
		if (strcasecmp(their_name, our_name) != 0)
			fail_msg("%s is %s here", theirs->values[i].name, our_name);
	}
}

static const char *name_of_outcome(unsigned number)
{
	return outcome_name((enum outcome)number);
}

static const char *name_of_class(unsigned number)
{
	return error_class_name((enum error_class)number);
}

static const char *name_of_release(unsigned number)
{
	static const char *const names[] = { "NONE",
		                             [RELEASE_ASKED] = "ASKED",
		                             [RELEASE_DRAIN] = "DRAIN",
		                             [RELEASE_DEADLINE] = "DEADLINE",
		                             [RELEASE_NO_ABILITY] = "NO_ABILITY",
		                             [RELEASE_ABANDONED] = "ABANDONED" };
	return names[number];
}

static const char *name_of_refusal(unsigned number)
{
	static const char *const names[] = { "NONE",
		                             [REFUSE_STANDBY] = "STANDBY",
		                             [REFUSE_VERSION] = "VERSION",
		                             [REFUSE_UNKNOWN] = "UNKNOWN",
		                             [REFUSE_DUPLICATE] = "DUPLICATE",
		                             [REFUSE_FULL] = "FULL",
		                             [REFUSE_STOPPING] = "STOPPING" };
	return names[number];
}

static const char *name_of_record(unsigned number)
{
	static const char *const names[] = {
		"NONE", [RECORD_RESULT] = "RESULT", [RECORD_ATTEMPT] = "ATTEMPT", [RECORD_RAW] = "RAW"
	};
	return names[number];
}

static void the_enums_have_the_numbers_of_the_proto(void **state)
{
	(void)state;
	same_enum(&assay__wire__outcome__descriptor, "OUTCOME_", OUTCOME_COUNT, name_of_outcome);
	same_enum(&assay__wire__error_class__descriptor, "ERROR_CLASS_", CLASS_COUNT, name_of_class);
	same_enum(&assay__wire__release_cause__descriptor, "RELEASE_CAUSE_", RELEASE_ABANDONED + 1, name_of_release);
	same_enum(&assay__wire__refuse_cause__descriptor, "REFUSE_CAUSE_", REFUSE_STOPPING + 1, name_of_refusal);
	same_enum(&assay__wire__record_kind__descriptor, "RECORD_KIND_", RECORD_RAW + 1, name_of_record);
}

static void every_kind_has_its_body_in_the_frame(void **state)
{
	(void)state;
	for (int kind = MSG_HELLO; kind < MSG_KIND_COUNT; kind++) {
		size_t found = 0;
		for (size_t i = 0; i < schema_frame.field_count; i++)
			if (schema_frame.fields[i].message)
				found += strcmp(schema_frame.fields[i].message->name,
				                msg_kind_name((enum msg_kind)kind)) == 0;
		assert_int_equal(found, 1);
	}
	assert_string_equal(msg_kind_name(MSG_KIND_COUNT), "?");
	assert_string_equal(msg_kind_name((enum msg_kind)0), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_says_what_the_proto_says),
		cmocka_unit_test(the_enums_have_the_numbers_of_the_proto),
		cmocka_unit_test(every_kind_has_its_body_in_the_frame),
	};
	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
