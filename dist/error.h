#pragma once

#include <stdexcept>
#include <string>

namespace lockstep::dist {

/// A communication call failed, or ranks do not agree where they must (replicas, settings). The message names the call.
class CommunicationError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// "not done within 600 s: another rank is stuck or has left".
std::string message_of_timeout(double seconds);

}  // namespace lockstep::dist
