#pragma once

#include <functional>
#include <string>
#include <vector>

#include "launcher/launch/host_list.h"
#include "launcher/launch/supervisor.h"

namespace lockstep {

/// What launch has to say at the end, and its exit code.
struct JobVerdict {
  int exit_code = 0;
  std::string words;  // whole lines; "" if the ranks have said all
};

/// `is_known(name)`: whether a host's name has an address here.
JobVerdict verdict_on_job(const JobEnd& end, const std::vector<Host>& hosts,
                          const std::function<bool(const std::string&)>& is_known);

}  // namespace lockstep
