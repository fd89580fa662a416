#include "dist/error.h"

#include <sstream>

namespace lockstep::dist {

std::string message_of_timeout(double seconds) {
  std::ostringstream message;
  message << "not done within " << seconds << " s: another rank is stuck or has left";
  return message.str();
}

}  // namespace lockstep::dist
