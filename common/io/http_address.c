#include "common/io/http_address.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

struct block4 {
	uint32_t network;
	unsigned bits;
};

static bool is_private4(uint32_t address)
{
	static const struct block4 blocks[] = {
		{ 0x00000000, 8 },  /* 0.0.0.0 this network */
		{ 0x0A000000, 8 },  /* 10.0.0.0 private */
		{ 0x64400000, 10 }, /* 100.64.0.0 shared by carriers */
		{ 0x7F000000, 8 },  /* 127.0.0.0 loopback */
		{ 0xA9FE0000, 16 }, /* 169.254.0.0 link-local */
		{ 0xAC100000, 12 }, /* 172.16.0.0 private */
		{ 0xC0000000, 24 }, /* 192.0.0.0 protocols */
		{ 0xC0000200, 24 }, /* 192.0.2.0 documentation */
		{ 0xC0586300, 24 }, /* 192.88.99.0 old relays */
		{ 0xC0A80000, 16 }, /* 192.168.0.0 private */
		{ 0xC6120000, 15 }, /* 198.18.0.0 benchmarks */
		{ 0xC6336400, 24 }, /* 198.51.100.0 documentation */
		{ 0xCB007100, 24 }, /* 203.0.113.0 documentation */
		{ 0xE0000000, 4 },  /* 224.0.0.0 multicast */
		{ 0xF0000000, 4 },  /* 240.0.0.0 reserved, broadcast */
	};
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		if ((address ^ blocks[i].network) >> (32 - blocks[i].bits) == 0)
			return true;
	return false;
}

static uint32_t embedded4(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool is_private6(const uint8_t a[16])
{
	static const uint8_t zeros[12], mapped[12] = { [10] = 0xFF, [11] = 0xFF },
					nat64[12] = { 0x00, 0x64, 0xFF, 0x9B };
	if (memcmp(a, zeros, 12) == 0) /* ::, ::1 and the old IPv4-compatible form */
		return true;
	if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0)
		return is_private4(embedded4(a + 12));
	if (a[0] == 0x20 && a[1] == 0x02) /* 6to4 */
		return is_private4(embedded4(a + 2));
	if (a[0] == 0x20 && a[1] == 0x01 && (a[2] < 2 || (a[2] == 0x0D && a[3] == 0xB8)))
		return true;          /* protocols (Teredo among them), documentation */
	return (a[0] & 0xE0) != 0x20; /* only 2000::/3 is given out: the rest is local, multicast or nobody's */
}

bool http_address_is_private(const struct sockaddr *address, size_t len)
{
	if (address->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		return is_private4(ntohl(in.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof(in6));
		return is_private6(in6.sin6_addr.s6_addr);
	}
	return true;
}
