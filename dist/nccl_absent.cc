#include "dist/communicator.h"
#include "dist/error.h"

namespace lockstep::dist {

std::unique_ptr<Communicator> make_nccl_communicator(ControlPlane&, const NcclOptions&) {
  throw CommunicationError("this build has no NCCL; for GPUs configure with -DLOCKSTEP_CUDA=ON");
}

}  // namespace lockstep::dist
