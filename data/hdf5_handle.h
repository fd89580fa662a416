#pragma once

#include <cstdint>
#include <mutex>
#include <string>

namespace lockstep::data {

// Internal to data/. HDF5's header stays in the .cc files: hid_t is int64_t and herr_t is int (hdf5_handle.cc asserts
// it).

/// Owns one HDF5 id (file, dataset, space, type, property list, attribute) and closes it with `close`.
class Hdf5Handle {
 public:
  using Close = int (*)(int64_t);
  /// Throws DataError "`what` ..." with HDF5's own reason if `id` is negative, that is if the call that made it failed.
  Hdf5Handle(int64_t id, Close close, const std::string& what);
  ~Hdf5Handle();
  Hdf5Handle(const Hdf5Handle&) = delete;
  Hdf5Handle& operator=(const Hdf5Handle&) = delete;
  operator int64_t() const { return id_; }

 private:
  int64_t id_;
  Close close_;
};

/// Throws DataError "`what` ..." with HDF5's own reason if `status` is negative.
void check_hdf5(int64_t status, const std::string& what);

/// Held around every use of HDF5, which is not thread-safe as Debian builds it. The first use also silences the error
/// stack that HDF5 prints and switches off plugins, which would load code that a file names.
std::unique_lock<std::mutex> lock_hdf5();

}  // namespace lockstep::data
