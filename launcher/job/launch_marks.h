#pragma once

namespace lockstep {

/// What ranks tell `lockstep launch`, in control characters within their standard error, which it takes out again. The
/// way through mpirun is the only one that leads from every host. A rank marks only if this variable is set.
inline constexpr const char* kMarksVariable = "LOCKSTEP_LAUNCHED";

inline constexpr char kErrorBegins = '\x02';
inline constexpr char kErrorEnds = '\x03';
inline constexpr char kRanksReady = '\x06';  // from rank 0: every rank now takes stop requests
/// Around an exit code: from a rank that ends the job by force. Within seconds no rank is left that can be reached.
inline constexpr char kAborting = '\x05';

}  // namespace lockstep
