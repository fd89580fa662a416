#pragma once

#include <stdexcept>

namespace lockstep::dist {

/// A communication call failed, or ranks do not agree where they must (replicas, settings). The message names the call.
class CommunicationError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace lockstep::dist
