#include <hdf5.h>

#include <utility>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/hdf5_handle.h"
#include "data/sha256.h"
#include "data/token_shard.h"

namespace lockstep::data {
namespace {

const std::string kFailed = "a token shard cannot be written";
constexpr size_t kGrowth = size_t{1} << 20;  // bytes by which HDF5 grows the file in memory

template <typename T>
void write_dataset(hid_t file, const char* name, hid_t stored_type, hid_t memory_type, const std::vector<T>& values) {
  const hsize_t count = values.size();
  const Hdf5Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose, kFailed);
  const Hdf5Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, kFailed);
  check_hdf5(H5Pset_layout(properties, H5D_CONTIGUOUS), kFailed);
  check_hdf5(H5Pset_obj_track_times(properties, false), kFailed);
  const Hdf5Handle dataset(H5Dcreate2(file, name, stored_type, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose,
                           kFailed);
  check_hdf5(H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), kFailed);
}

void write_attribute(hid_t file, const char* name, hid_t stored_type, hid_t memory_type, const void* value) {
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose, kFailed);
  const Hdf5Handle attribute(H5Acreate2(file, name, stored_type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose, kFailed);
  check_hdf5(H5Awrite(attribute, memory_type, value), kFailed);
}

void write_attribute(hid_t file, const char* name, const std::string& value) {
  const Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose, kFailed);
  check_hdf5(H5Tset_size(type, value.size()), kFailed);
  check_hdf5(H5Tset_strpad(type, H5T_STR_NULLPAD), kFailed);
  write_attribute(file, name, type, type, value.data());
}

/// The whole file, built in memory: HDF5 touches no disk, takes no lock there and sees no full one.
std::string file_image(const TokenShard& shard, const ShardContract& contract) {
  const auto lock = lock_hdf5();
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, kFailed);
  check_hdf5(H5Pset_fapl_core(access, kGrowth, false), kFailed);
  const Hdf5Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose, kFailed);
  check_hdf5(H5Pset_obj_track_times(creation, false), kFailed);
  const Hdf5Handle file(H5Fcreate("shard", H5F_ACC_TRUNC, creation, access), H5Fclose, kFailed);

  const int32_t schema = kDatasetSchemaVersion;
  write_attribute(file, "schema_version", H5T_STD_I32LE, H5T_NATIVE_INT32, &schema);
  write_attribute(file, "split", contract.split);
  write_attribute(file, "vocabulary_sha256", contract.vocabulary_sha256);
  const hid_t id_type = contract.vocabulary_size > 65536 ? H5T_STD_U32LE : H5T_STD_U16LE;
  write_dataset(file, "ids", id_type, H5T_NATIVE_INT32, shard.ids);
  write_dataset(file, "offsets", H5T_STD_I64LE, H5T_NATIVE_INT64, shard.offsets);
  write_dataset(file, "labels", H5T_STD_I32LE, H5T_NATIVE_INT32, shard.labels);

  check_hdf5(H5Fflush(file, H5F_SCOPE_GLOBAL), kFailed);
  const auto size = H5Fget_file_image(file, nullptr, 0);
  check_hdf5(size, kFailed);
  std::string image(static_cast<size_t>(size), '\0');
  check_hdf5(H5Fget_file_image(file, image.data(), image.size()), kFailed);
  return image;
}

}  // namespace

TokenShardWriter::TokenShardWriter(std::filesystem::path path, ShardContract contract)
    : path_(std::move(path)), contract_(std::move(contract)) {}

void TokenShardWriter::add(std::span<const int32_t> ids, int32_t label) {
  for (const int32_t id : ids)
    if (id < 0 || id >= contract_.vocabulary_size)
      throw DataError(path_.string() + ": id " + std::to_string(id) + " is not in the vocabulary of " +
                      std::to_string(contract_.vocabulary_size));
  if (ids.empty() || label < 0 || label >= contract_.classes)
    throw DataError(path_.string() + ": an example needs ids and a label below " + std::to_string(contract_.classes));
  shard_.ids.insert(shard_.ids.end(), ids.begin(), ids.end());
  shard_.offsets.push_back(std::ssize(shard_.ids));
  shard_.labels.push_back(label);
}

ShardEntry TokenShardWriter::finish() {
  if (shard_.labels.empty()) throw DataError(path_.string() + ": a shard needs at least one example");
  const std::string image = file_image(shard_, contract_);
  write_file_atomically(path_, image);
  return {path_.filename().string(), std::ssize(shard_.labels), std::ssize(shard_.ids), std::ssize(image),
          sha256_of(image)};
}

}  // namespace lockstep::data
