/* common/io/http_address.h - which addresses are not the open internet. */
#ifndef ASSAY_IO_HTTP_ADDRESS_H
#define ASSAY_IO_HTTP_ADDRESS_H

#include "common/base/base.h"
#include <sys/socket.h>

/* Loopback, private, link-local (cloud metadata lives there), shared, multicast, documentation, reserved, and IPv6
 * forms that carry such an IPv4 address. Of families other than IPv4 and IPv6 everything is. Source: the IANA
 * special-purpose registries. */
bool http_address_is_private(const struct sockaddr *address, size_t len);

#endif
