#pragma once

namespace lockstep {

/// For the start of a program. A standard descriptor that was closed before would become a data file's, and messages
/// would go into that file. What is printed on one that is opened here still counts as lost.
void occupy_standard_streams();

/// Sends what was printed on standard output. Throws std::system_error if any of it was lost: a full disk, a closed
/// descriptor.
void flush_output();

}  // namespace lockstep
