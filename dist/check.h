#pragma once

#include <source_location>

namespace lockstep::dist {

/// Throws CommunicationError with MPI's own words for `status` unless it is MPI_SUCCESS; `what` names the call.
void check(int status, const char* what, std::source_location where = std::source_location::current());

}  // namespace lockstep::dist
