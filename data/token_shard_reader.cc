#include <hdf5.h>

#include <algorithm>
#include <functional>

#include "data/error.h"
#include "data/hdf5_handle.h"
#include "data/token_shard.h"

namespace lockstep::data {
namespace {

/// Reads one file image; every failure names the file.
class ShardParser {
 public:
  ShardParser(std::string_view bytes, const std::string& file, const ShardContract& contract)
      : bytes_(bytes), name_(file), contract_(contract), file_(open_image(), H5Fclose, name_ + ": cannot be opened") {}

  TokenShard parse() const {
    check_attributes();
    check_links();
    TokenShard shard;
    shard.ids = read_ids();
    shard.offsets = read_dataset<int64_t>("offsets", H5T_STD_I64LE, H5T_NATIVE_INT64);
    shard.labels = read_dataset<int32_t>("labels", H5T_STD_I32LE, H5T_NATIVE_INT32);
    check_ranges(shard);
    return shard;
  }

 private:
  hid_t open_image() const;
  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(name_ + ": " + what + "; prepare the data set again");
  }
  void check_attributes() const;
  std::string string_attribute(const char* attribute) const;
  int32_t schema_version() const;
  void check_links() const;
  std::vector<int32_t> read_ids() const;
  template <typename T>
  std::vector<T> read_dataset(const char* dataset_name, hid_t stored_type, hid_t memory_type) const;
  void check_storage(hid_t dataset, const std::string& what, hsize_t bytes) const;
  void check_ranges(const TokenShard& shard) const;

  std::string_view bytes_;
  std::string name_;
  const ShardContract& contract_;
  Hdf5Handle file_;
};

/// Names no file: HDF5 refuses an image whose name it can open.
constexpr const char* kNoFile = "/dev/null/shard";

/// Opens the bytes as an HDF5 file in memory.
hid_t ShardParser::open_image() const {
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, name_ + ": HDF5 has no memory");
  check_hdf5(H5Pset_fapl_core(access, size_t{1} << 16, false), name_ + ": HDF5 has no memory");
  void* image = const_cast<char*>(bytes_.data());  // copied by HDF5, not written
  check_hdf5(H5Pset_file_image(access, image, bytes_.size()), name_ + ": is empty");
  const hid_t file = H5Fopen(kNoFile, H5F_ACC_RDONLY, access);
  check_hdf5(file, name_ + ": is not a readable HDF5 file");  // now: closing `access` clears HDF5's reason
  return file;
}

void ShardParser::check_attributes() const {
  const int32_t schema = schema_version();
  if (schema != kDatasetSchemaVersion)
    throw ContractError(name_ + ": has schema version " + std::to_string(schema) + ", this program reads " +
                        std::to_string(kDatasetSchemaVersion) + "; prepare the data set again");
  const std::string split = string_attribute("split");
  if (split != contract_.split)
    throw ContractError(name_ + ": belongs to the split \"" + split + "\", expected \"" + contract_.split + "\"");
  if (string_attribute("vocabulary_sha256") != contract_.vocabulary_sha256)
    throw ContractError(name_ +
                        ": was made with another vocabulary than the data set's manifest says; prepare it again");
}

int32_t ShardParser::schema_version() const {
  const Hdf5Handle attribute(H5Aopen(file_, "schema_version", H5P_DEFAULT), H5Aclose,
                             name_ + ": has no attribute schema_version");
  const Hdf5Handle type(H5Aget_type(attribute), H5Tclose, name_ + ": schema_version has no type");
  const Hdf5Handle space(H5Aget_space(attribute), H5Sclose, name_ + ": schema_version has no shape");
  if (H5Tequal(type, H5T_STD_I32LE) <= 0 || H5Sget_simple_extent_npoints(space) != 1)
    fail("schema_version is not one 32-bit integer");
  int32_t version = 0;
  check_hdf5(H5Aread(attribute, H5T_NATIVE_INT32, &version), name_ + ": schema_version cannot be read");
  return version;
}

std::string ShardParser::string_attribute(const char* attribute_name) const {
  const std::string what = name_ + ": attribute " + attribute_name;
  const Hdf5Handle attribute(H5Aopen(file_, attribute_name, H5P_DEFAULT), H5Aclose, what + " is missing");
  const Hdf5Handle type(H5Aget_type(attribute), H5Tclose, what + " has no type");
  const Hdf5Handle space(H5Aget_space(attribute), H5Sclose, what + " has no shape");
  const size_t size = H5Tget_size(type);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || size == 0 || size > 1024 ||
      H5Sget_simple_extent_npoints(space) != 1)
    fail(std::string("attribute ") + attribute_name + " is not one short string of fixed length");
  std::string value(size, '\0');
  check_hdf5(H5Aread(attribute, type, value.data()), what + " cannot be read");
  return value.substr(0, value.find('\0'));
}

/// Exactly ids, offsets and labels, each a hard link: soft and external links could lead to other files.
void ShardParser::check_links() const {
  H5G_info_t group{};
  check_hdf5(H5Gget_info(file_, &group), name_ + ": has no root group");
  if (group.nlinks != 3) fail("holds " + std::to_string(group.nlinks) + " objects, expected ids, offsets and labels");
  for (const char* name : {"ids", "offsets", "labels"}) {
    H5L_info_t link{};
    check_hdf5(H5Lget_info(file_, name, &link, H5P_DEFAULT), name_ + ": has no dataset " + name);
    if (link.type != H5L_TYPE_HARD)
      fail(std::string(name) + " is a link to another place, expected a dataset in this file");
  }
}

/// Narrow ids are widened here: HDF5's own conversion takes several times as long.
std::vector<int32_t> ShardParser::read_ids() const {
  if (contract_.vocabulary_size > 65536) return read_dataset<int32_t>("ids", H5T_STD_U32LE, H5T_NATIVE_INT32);
  const auto narrow = read_dataset<uint16_t>("ids", H5T_STD_U16LE, H5T_NATIVE_UINT16);
  return {narrow.begin(), narrow.end()};
}

template <typename T>
std::vector<T> ShardParser::read_dataset(const char* dataset_name, hid_t stored_type, hid_t memory_type) const {
  const std::string what = name_ + ": dataset " + dataset_name;
  const Hdf5Handle dataset(H5Dopen2(file_, dataset_name, H5P_DEFAULT), H5Dclose, what + " cannot be opened");
  const Hdf5Handle type(H5Dget_type(dataset), H5Tclose, what + " has no type");
  const Hdf5Handle space(H5Dget_space(dataset), H5Sclose, what + " has no shape");
  if (H5Tequal(type, stored_type) <= 0) fail(std::string(dataset_name) + " has another number type than the format's");
  hsize_t count = 0;
  if (H5Sis_simple(space) <= 0 || H5Sget_simple_extent_ndims(space) != 1 ||
      H5Sget_simple_extent_dims(space, &count, nullptr) != 1)
    fail(std::string(dataset_name) + " is not a vector");
  const size_t width = H5Tget_size(type);
  if (count == 0 || count > bytes_.size() / width)
    fail(std::string(dataset_name) + " declares " + std::to_string(count) + " elements, the file has " +
         std::to_string(bytes_.size()) + " bytes");
  check_storage(dataset, dataset_name, count * width);
  std::vector<T> values(count);
  check_hdf5(H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), what + " cannot be read");
  return values;
}

/// Contiguous, unfiltered, inside this file.
void ShardParser::check_storage(hid_t dataset, const std::string& what, hsize_t bytes) const {
  const Hdf5Handle properties(H5Dget_create_plist(dataset), H5Pclose, name_ + ": " + what + " has no properties");
  if (H5Pget_layout(properties) != H5D_CONTIGUOUS) fail(what + " is chunked, compact or virtual, expected contiguous");
  if (H5Pget_nfilters(properties) != 0) fail(what + " has filters, expected none");
  if (H5Pget_external_count(properties) != 0) fail(what + " is stored in other files");
  const haddr_t start = H5Dget_offset(dataset);
  if (H5Dget_storage_size(dataset) != bytes || start == HADDR_UNDEF || start > bytes_.size() ||
      bytes > bytes_.size() - start)
    fail(what + " does not lie inside the file");
}

void ShardParser::check_ranges(const TokenShard& shard) const {
  if (shard.offsets.size() != shard.labels.size() + 1)
    fail("has " + std::to_string(shard.labels.size()) + " labels and " + std::to_string(shard.offsets.size()) +
         " offsets, expected one offset more than labels");
  if (shard.offsets.front() != 0 || shard.offsets.back() != std::ssize(shard.ids))
    fail("the offsets do not run from 0 to the number of ids, " + std::to_string(shard.ids.size()));
  if (std::adjacent_find(shard.offsets.begin(), shard.offsets.end(), std::greater_equal{}) != shard.offsets.end())
    fail("the offsets do not rise");
  const auto outside = [](int64_t limit) { return [limit](int32_t value) { return value < 0 || value >= limit; }; };
  const auto id = std::find_if(shard.ids.begin(), shard.ids.end(), outside(contract_.vocabulary_size));
  if (id != shard.ids.end())
    fail("holds id " + std::to_string(*id) + ", the vocabulary has " + std::to_string(contract_.vocabulary_size) +
         " entries");
  const auto label = std::find_if(shard.labels.begin(), shard.labels.end(), outside(contract_.classes));
  if (label != shard.labels.end())
    fail("holds label " + std::to_string(*label) + ", there are " + std::to_string(contract_.classes) + " classes");
}

}  // namespace

TokenShard parse_token_shard(std::string_view bytes, const std::string& file, const ShardContract& contract) {
  const auto lock = lock_hdf5();
  return ShardParser(bytes, file, contract).parse();
}

}  // namespace lockstep::data
