#include "data/hdf5_arrays.h"

#include <hdf5.h>

#include "data/hdf5_handle.h"

namespace lockstep::data {

namespace {

void write_attribute(hid_t file, const std::string& name, int64_t value, const std::string& failed) {
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose, failed);
  const Hdf5Handle attribute(H5Acreate2(file, name.c_str(), H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                             failed);
  check_hdf5(H5Awrite(attribute, H5T_NATIVE_INT64, &value), failed);
}

void write_array(hid_t file, const NamedArray& array, const std::string& failed) {
  const std::vector<hsize_t> shape(array.shape.begin(), array.shape.end());
  const Hdf5Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose, failed);
  const Hdf5Handle link(H5Pcreate(H5P_LINK_CREATE), H5Pclose, failed);
  check_hdf5(H5Pset_create_intermediate_group(link, 1), failed);
  const Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, failed);
  check_hdf5(H5Pset_obj_track_times(creation, false), failed);
  const Hdf5Handle dataset(H5Dcreate2(file, array.name.c_str(), H5T_IEEE_F32LE, space, link, creation, H5P_DEFAULT),
                           H5Dclose, failed);
  check_hdf5(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data()), failed);
}

}  // namespace

void write_hdf5_arrays(const std::filesystem::path& path, std::span<const NamedArray> arrays,
                       const std::map<std::string, int64_t>& attributes) {
  const auto lock = lock_hdf5();
  const std::string failed = path.string() + " cannot be written";
  const Hdf5Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose, failed);
  check_hdf5(H5Pset_obj_track_times(creation, false), failed);
  const Hdf5Handle file(H5Fcreate(path.c_str(), H5F_ACC_EXCL, creation, H5P_DEFAULT), H5Fclose, failed);
  for (const auto& [name, value] : attributes)
    write_attribute(file, name, value, failed);
  for (const NamedArray& array : arrays)
    write_array(file, array, failed);
  check_hdf5(H5Fflush(file, H5F_SCOPE_GLOBAL), failed);
}

}  // namespace lockstep::data
