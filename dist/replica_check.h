#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "dist/communicator.h"

namespace lockstep::dist {

/// 64-bit digest of a replica's bytes (FNV-1a with a shift over 8-byte words, four lanes: order-sensitive, any one
/// flipped bit changes it). Not cryptographic. Depends on the machine's byte order.
uint64_t digest_of(std::span<const std::byte> bytes);

/// Collective. Throws CommunicationError on every rank, naming the ranks whose digest differs from rank 0's, if the
/// replicas are not equal.
void require_equal_replicas(ControlPlane& control, uint64_t digest, const std::string& what);

/// Collective. Throws CommunicationError on every rank if `settings` (lines "key = value") differ between ranks, naming
/// the first rank that differs and the lines that do.
void require_equal_settings(ControlPlane& control, const std::string& settings);

}  // namespace lockstep::dist
