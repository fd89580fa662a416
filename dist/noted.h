#pragma once

#include <memory>

#include "dist/activity.h"
#include "dist/communicator.h"

namespace lockstep::dist {

/// The same lines between ranks; each collective is noted in `log`, with the time in which its rank waits for others.
/// `log` must outlive them.
std::unique_ptr<ControlPlane> noted(std::unique_ptr<ControlPlane> control, ActivityLog& log);
std::unique_ptr<Communicator> noted(std::unique_ptr<Communicator> communicator, ActivityLog& log);

}  // namespace lockstep::dist
