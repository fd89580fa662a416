#pragma once

#include <filesystem>

namespace lockstep {

/// Prints a line per split of the data set in `folder`, and the exit code of `lockstep verify`. Reads every byte; needs
/// neither HDF5 nor a model. Throws ProgramError with kData if the manifest or a shard is damaged, after all have been
/// looked at.
int verify_dataset(const std::filesystem::path& folder);

}  // namespace lockstep
