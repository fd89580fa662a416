#include "data/hdf5_handle.h"

#include <hdf5.h>

#include <type_traits>

#include "data/error.h"

namespace lockstep::data {
namespace {

static_assert(std::is_same_v<hid_t, int64_t> && std::is_same_v<herr_t, int>);

/// What the innermost failing function of HDF5 said; clears the stack.
std::string innermost_reason() {
  std::string reason;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned n, const H5E_error2_t* error, void* text) -> herr_t {
        if (n == 0 && error->desc) *static_cast<std::string*>(text) = error->desc;
        return 0;
      },
      &reason);
  H5Eclear2(H5E_DEFAULT);
  return reason.empty() ? "no reason given" : reason;
}

}  // namespace

Hdf5Handle::Hdf5Handle(int64_t id, Close close, const std::string& what) : id_(id), close_(close) {
  check_hdf5(id, what);
}

Hdf5Handle::~Hdf5Handle() {
  close_(id_);
}

void check_hdf5(int64_t status, const std::string& what) {
  if (status < 0) throw DataError(what + " (HDF5: " + innermost_reason() + ")");
}

std::unique_lock<std::mutex> lock_hdf5() {
  static std::mutex mutex;
  std::unique_lock lock(mutex);
  static const bool configured = [] {
    check_hdf5(H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr), "HDF5's error output cannot be silenced");
    check_hdf5(H5PLset_loading_state(0), "HDF5's plugins cannot be switched off");
    return true;
  }();
  static_cast<void>(configured);
  return lock;
}

}  // namespace lockstep::data
